from pathlib import Path

from tests.acceptance import oracle
from tests.acceptance.conftest import AcceptanceRun


def test_every_cell_agrees_with_pings_that_use_no_code_of_ours(
    detached_lab: Path, tmp_path: Path
) -> None:
    run = AcceptanceRun(detached_lab, tmp_path, "--matrix-keep=yes")
    namespace = f"podmatrix-{run.report['run']['id']}"
    cells = {cell["id"].rsplit("-", 1)[0]: cell for cell in run.report["cells"]}
    bound = [_bound(cell) for cell in cells.values() if cell["mode"] == "bound"]
    seen = oracle.matrix(oracle.pods(detached_lab, namespace), bound)
    oracle.kubectl(detached_lab, "delete", "namespace", namespace)
    assert {key: cell["observed"] == "reachable" for key, cell in cells.items()} == seen


def _bound(cell: dict[str, dict[str, str]]) -> tuple[str, str, str]:
    source, destination = cell["source"], cell["destination"]
    target = f"{destination['kind']}-{destination['slot']}-{destination['interface']}"
    return f"{source['kind']}-{source['slot']}", source["interface"], target
