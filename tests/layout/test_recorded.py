from pathlib import Path

from podmatrix.cluster.network_status import parse_network_status
from podmatrix.model import PodLayout, Verdict
from podmatrix.probes.layout import default_routes, parse_interfaces
from podmatrix.profile import Profile, parse_profile
from tests.layout.changes import facts, layout, pod
from tests.samples import ISOLATED

ANNOTATION = "k8s.v1.cni.cncf.io/network-status"
DATA = Path(__file__).parent / "data"

# The pods were recorded with a NAD of their own for the second interface.
PROFILE = parse_profile(
    ISOLATED.replace(
        "attach: default/flannel-conf",
        "attach: {default: default/flannel-conf, secondary: default/flannel-second}",
    ),
    source="x",
)


def verdicts(folder: str, *, profile: str | Profile = PROFILE) -> dict[str, Verdict]:
    """Verdicts on a real dual pod: Calico v3.32.1, Multus v4.2.4, Flannel v0.28.10."""

    def lines(name: str) -> list[str]:
        return (DATA / folder / name).read_text(encoding="utf-8").splitlines()

    seen = PodLayout(
        role_id="dual-a",
        interfaces=parse_interfaces(lines("ip-a.txt")),
        default_routes=default_routes(lines("ip-route.txt")),
    )
    status = parse_network_status({ANNOTATION: "\n".join(lines("network-status.json"))})
    found = facts(
        layout("dual-a", lambda _: seen),
        pod("dual-a", network_status=status, pod_ips=status[0].ips),
        profile=profile,
    )
    return {name: judged.verdict for name, judged in found.items() if name.startswith("dual-a")}


def test_a_healthy_dual_pod_passes_every_fact() -> None:
    assert set(verdicts("healthy").values()) == {Verdict.PASS}


def test_the_owners_nad_gives_a_dual_pod_two_default_routes_and_nothing_else_is_wrong() -> None:
    found = verdicts("two-default-routes", profile="owner")
    wrong = [name for name, verdict in found.items() if verdict is not Verdict.PASS]
    assert wrong == ["dual-a-default-route"]
