"""One source pod: its cells become one command line, and what that prints becomes observations."""

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from podmatrix.cluster.client import Cluster
from podmatrix.cluster.execution import run
from podmatrix.cluster.manifests import CONTAINER
from podmatrix.cluster.targets import Addresses, Source, Target, repeat_command
from podmatrix.errors import ProbeError
from podmatrix.model import Observation, Outcome, PodLayout
from podmatrix.polling import Deadline
from podmatrix.probes.icmp import PodOutput, read_output
from podmatrix.probes.layout import Route, default_routes, parse_interfaces, parse_lookups
from podmatrix.probes.reply import Reply, not_run
from podmatrix.probes.script import LOOPBACK, Group, Sending, script_argv

TARGETS_PER_EXEC = 2000
"""Keeps a command line below script.COMMAND_LINE_MAX: each address stands there twice at most."""

Key = tuple[str | None, int]
"""Interface (None: natural) and family: what one run of a tool can ping together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What one source pod saw; `execs` counts the commands it took."""

    observations: tuple[Observation, ...]
    layout: PodLayout | None
    execs: int


class PodProber:
    """Probes from one pod. Safe to use in a thread of its own."""

    def __init__(
        self, cluster: Cluster, source: Source, addresses: Addresses, *, sending: Sending
    ) -> None:
        self._cluster = cluster
        self._source = source
        self._addresses = addresses
        self._sending = sending

    def ask(
        self,
        targets: Sequence[Target],
        *,
        layout: bool,
        deadline: Deadline,
        cancelled: threading.Event,
    ) -> Answers:
        """Probe `targets`; with `layout`, look at interfaces and routes as well.

        Raises ExecError where the command could not be carried out, ProbeError where its output
        cannot be read: then nothing is known of any of the targets.
        """
        observations: list[Observation] = []
        seen: PodLayout | None = None
        execs = 0
        for part in _parts(targets):
            output, groups = self._carry_out(part, layout and execs == 0, deadline, cancelled)
            if layout and execs == 0:
                seen = _layout(self._source.pod.role_id, output)
            execs += 1
            observations += self._observations(part, output, groups)
        return Answers(observations=tuple(observations), layout=seen, execs=execs)

    def _carry_out(
        self,
        targets: Sequence[Target],
        layout: bool,
        deadline: Deadline,
        cancelled: threading.Event,
    ) -> tuple[PodOutput, Mapping[Key, int]]:
        groups = self._groups(targets)
        token = secrets.token_hex(4)
        natural = [t for t in targets if t.interface is None and self._source.routes_choose]
        allowed_s = min(deadline.remaining_s, _allowance_s(len(targets), self._sending))
        argv = script_argv(
            list(groups.values()),
            token=token,
            deadline_s=allowed_s,
            sending=self._sending,
            layout=layout,
            lookups=_lookups(natural),
        )
        pod = self._source.pod
        completed = run(
            self._cluster,
            pod.namespace,
            pod.name,
            CONTAINER,
            argv,
            timeout_s=allowed_s + 2.0,
            cancelled=cancelled,
        )
        output = read_output(completed, list(groups.values()), token=token, sending=self._sending)
        return output, {key: number for number, key in enumerate(groups)}

    def _groups(self, targets: Sequence[Target]) -> dict[Key, Group]:
        """Targets -> groups; an address that several cells aim at is pinged once."""
        members: dict[Key, dict[str, None]] = {}
        own: dict[Key, str] = {}
        for target in targets:
            key = (target.interface, target.family)
            members.setdefault(key, {})[target.address] = None
            own[key] = target.own
        return {
            key: Group(
                interface=key[0],
                family=key[1],
                own=own[key],
                addresses=tuple(addresses),
                only_source=self._addresses.is_only_source(self._source, key[1]),
            )
            for key, addresses in members.items()
        }

    def _observations(
        self, targets: Sequence[Target], output: PodOutput, groups: Mapping[Key, int]
    ) -> Iterator[Observation]:
        routes = parse_lookups(output.lookups)
        for target in targets:
            group = output.groups[groups[target.interface, target.family]]
            reply = group.replies.get(target.address) or not_run("the tool did not tell")
            interface, address = self._left_by(target, routes)
            if target.ambiguous and reply.received:
                reply = not_run(target.ambiguous)
            elif (
                interface is None
                and LOOPBACK[target.family] in routes
                and reply.outcome is Outcome.UNREACHABLE
            ):
                reply = _without_route(reply, target.address)
            yield Observation(
                cell_id=target.cell_id,
                outcome=reply.outcome,
                sent=reply.sent,
                received=reply.received,
                rtt_ms=reply.rtt_ms,
                detail=reply.detail,
                tool=group.tool,
                source_interface=interface,
                source_address=address,
                destination_address=target.address,
                repeat=repeat_command(self._source.pod, target, self._sending.count),
            )

    def _left_by(
        self, target: Target, routes: Mapping[str, Route]
    ) -> tuple[str | None, str | None]:
        """Interface and source address; None where no route was told."""
        if target.interface:
            return target.interface, target.own
        if not self._source.routes_choose:
            return self._source.role.interfaces[0][0], target.own
        route = routes.get(target.address)
        return (route.interface, route.source) if route else (None, None)


def _lookups(natural: Sequence[Target]) -> list[str]:
    """Addresses to look up: a loopback one, too, has a route wherever look-ups work at all."""
    loopbacks = (LOOPBACK[target.family] for target in natural)
    return list(dict.fromkeys((*loopbacks, *(target.address for target in natural))))


def _layout(role_id: str, output: PodOutput) -> PodLayout:
    try:
        interfaces = parse_interfaces(output.addr)
    except ProbeError as exc:
        return PodLayout(role_id=role_id, problem=str(exc))
    return PodLayout(
        role_id=role_id,
        interfaces=interfaces,
        default_routes=tuple(
            route for lines in output.routes.values() for route in default_routes(lines)
        ),
        routes_unread=tuple(family for family in LOOPBACK if family not in output.routes),
    )


def _without_route(reply: Reply, address: str) -> Reply:
    return Reply(
        outcome=reply.outcome,
        sent=reply.sent,
        detail=f"the pod has no route to {address}",
    )


def _parts(targets: Sequence[Target]) -> list[Sequence[Target]]:
    starts = range(0, len(targets), TARGETS_PER_EXEC) or range(1)
    return [targets[start : start + TARGETS_PER_EXEC] for start in starts]


def _allowance_s(targets: int, sending: Sending) -> float:
    """How long the slowest tool (one packet a second) may take before the pod itself gives up."""
    waves = -(-targets // sending.parallel)
    return 20.0 + waves * (sending.count + sending.wait_ms / 1000 + 2.0)
