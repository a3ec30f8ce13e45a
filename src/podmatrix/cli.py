"""The `podmatrix` command. Prints what others print with `typer.echo`; errors are one message."""

import contextlib
import shlex
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from podmatrix.errors import LabError, PodmatrixError

if TYPE_CHECKING:
    from podmatrix.lab.launch import Lab
    from podmatrix.lab.topology import Topology

INTERRUPTED = 128 + signal.SIGINT
OURS = "current-context: podmatrix-"
"""Stands in every kubeconfig that a lab wrote."""

app = typer.Typer(
    help="Proves what the pod networks of a Kubernetes cluster really do.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
lab = typer.Typer(help="The embedded cluster: start it, look at it, stop it.", no_args_is_help=True)
app.add_typer(lab, name="lab")


@app.command(epilog="Example: podmatrix plan --profile isolated --nodes 3")
def plan(
    profile: Annotated[
        str, typer.Option(help="A built-in profile or the path of one.", metavar="NAME|PATH")
    ] = "owner",
    nodes: Annotated[int, typer.Option(min=1, help="How many carry pods.")] = 2,
) -> None:
    """Print the matrix a profile expects, with the reason for every class; asks no cluster."""
    from podmatrix.expectations import expectations
    from podmatrix.plan import make_plan, slots_for
    from podmatrix.profile import load_profile
    from podmatrix.report.expected import render_expected

    declared = load_profile(profile)
    planned = make_plan(declared, slots_for(nodes))
    typer.echo(
        f"profile {declared.name} ({declared.source}), {nodes} nodes: {len(planned.roles)} pods, "
        f"{len(planned.cells)} cells, {len(planned.facts)} layout facts\n"
    )
    typer.echo(render_expected(planned.cells, expectations(declared, planned.cells)), nl=False)


Name = Annotated[str, typer.Option(help="Which lab: several may run at the same time.")]


@lab.command(
    epilog="Example: podmatrix lab up --nodes 3 --detach && podmatrix lab status",
)
def up(
    nodes: Annotated[
        int | None, typer.Option(min=1, help="How many; the topology's where left out.")
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Leave it running until `podmatrix lab down`.")
    ] = False,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Write the kubeconfig to this file, too.", dir_okay=False)
    ] = None,
    topology: Annotated[
        Path | None, typer.Option(help="A topology file, such as manifests/lab/owner.yaml.")
    ] = None,
    name: Name = "default",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the API on 127.0.0.1; 0: any that is free.")
    ] = 0,
) -> None:
    """Start a lab and serve it until Ctrl-C, or detached."""
    from podmatrix.lab.topology import load_topology

    shape = load_topology(topology)
    if nodes is not None:
        shape = shape.with_nodes(nodes)
    if kubeconfig is not None:
        _check_replaceable(kubeconfig)
    signal.signal(signal.SIGTERM, _as_interrupt)
    running = _start(shape, name, detach=detach, port=port)
    with contextlib.ExitStack() as stack:
        stack.enter_context(running)
        if kubeconfig is not None:
            kubeconfig.touch(mode=0o600)
            kubeconfig.write_text(running.kubeconfig.read_text())
        typer.echo(_what_next(running, kubeconfig or running.kubeconfig, detach=detach))
        if detach:
            running.release()
            stack.pop_all()
            return
        with contextlib.suppress(KeyboardInterrupt):
            running.wait()
    typer.echo(f"lab {name} is stopped")


def _start(shape: "Topology", name: str, *, detach: bool, port: int) -> "Lab":
    from podmatrix.lab.launch import start_lab
    from podmatrix.lab.state import lab_directory

    try:
        return start_lab(
            shape,
            name=name,
            detach=detach,
            state_dir=lab_directory(name),
            port=port,
            progress=lambda line: typer.echo(f"waiting for {line}"),
        )
    except KeyboardInterrupt:
        typer.echo("interrupted: nothing is left running", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _as_interrupt(_signum: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM ends like Ctrl-C, so that everything that was made is taken down."""
    raise KeyboardInterrupt


def _check_replaceable(kubeconfig: Path) -> None:
    """Somebody's own kubeconfig is not overwritten."""
    try:
        if kubeconfig.exists() and OURS not in kubeconfig.read_text():
            raise LabError(
                f"{kubeconfig}: exists and is not a lab's kubeconfig: name another file with "
                f"--kubeconfig"
            )
        if not kubeconfig.parent.is_dir():
            raise LabError(f"{kubeconfig}: its directory does not exist: make it, or name another")
    except (OSError, UnicodeDecodeError) as exc:
        raise LabError(f"{kubeconfig}: cannot be used: {exc}: name another file") from exc


def _what_next(running: "Lab", kubeconfig: Path, *, detach: bool) -> str:
    stop = f"podmatrix lab down --name {running.name}" if detach else "Ctrl-C"
    return "\n".join(
        (
            f"lab {running.name} is up at {running.server}: {', '.join(running.nodes)}",
            "Try:",
            f"  export KUBECONFIG={shlex.quote(str(kubeconfig.absolute()))}",
            "  kubectl get nodes,pods -A -o wide",
            f"Stop it with {stop}.",
        )
    )


@lab.command(epilog="Example: podmatrix lab down --name default")
def down(name: Name = "default") -> None:
    """Stop a lab and remove its files."""
    from podmatrix.lab.state import lab_directory, read_state, remove_state

    directory = lab_directory(name)
    state = read_state(directory)
    was_up = state is not None and state.running
    if state is not None:
        state.stop()
    remove_state(directory)
    typer.echo(f"lab {name} is stopped" if was_up else f"lab {name} was not up")


@lab.command(epilog="Example: podmatrix lab status")
def status(
    name: Annotated[str | None, typer.Option(help="Only this lab; all where left out.")] = None,
) -> None:
    """Show which labs are up. The exit status is 1 where none is."""
    from podmatrix.lab.state import running_labs

    found = [state for state in running_labs() if name in (None, state.name)]
    for state in found:
        typer.echo(
            f"{state.name}\tpid {state.pid}\t{state.server}\t{','.join(state.nodes)}\t"
            f"KUBECONFIG={shlex.quote(state.kubeconfig)}"
        )
    if not found:
        typer.echo(f"lab {name} is not up" if name else "no lab is up: start one, podmatrix lab up")
        raise typer.Exit(1)


def main() -> None:
    """Entry point. A PodmatrixError is one message on stderr and exit status 1."""
    try:
        app()
    except PodmatrixError as exc:
        typer.echo(f"podmatrix: {exc}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
