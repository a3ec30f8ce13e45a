"""Felix's chains for the pods of a node: dispatch by interface, one pair each, profiles. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from podmatrix.lab.dataplane.felix_chain import Chains, comment, limited_name

_ACCEPTED = "-m mark --mark 0x10000/0x10000"
_PROFILE = f"{comment('Return if profile accepted')} {_ACCEPTED} --jump RETURN"
_VXLAN = "-p 17 -m multiport --destination-ports 4789"
_UNKNOWN = f"{comment('Unknown interface')} --jump DROP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One Calico interface on the node and the profiles that apply to its pod."""

    interface: str
    namespace: str
    service_account: str = "default"

    @property
    def profiles(self) -> tuple[str, str]:
        """Of its namespace, then of its service account."""
        return f"kns.{self.namespace}", f"ksa.{self.namespace}.{self.service_account}"


def workload_chains(workload: Workload) -> Chains:
    """To (tw) and from (fw) one workload."""
    start = [
        "-m conntrack --ctstate RELATED,ESTABLISHED --jump ACCEPT",
        "-m conntrack --ctstate INVALID --jump DROP",
        "--jump MARK --set-mark 0/0x30000",
    ]
    encapsulated = [
        f"{comment('Drop VXLAN encapped packets originating in workloads')} {_VXLAN} --jump DROP",
        f"{comment('Drop IPinIP encapped packets originating in workloads')} -p 4 --jump DROP",
    ]
    end = f"{comment('Drop if no profiles matched')} --jump DROP"
    return {
        f"cali-tw-{workload.interface}": [*start, *_profile_jumps("cali-pri-", workload), end],
        f"cali-fw-{workload.interface}": [
            *start,
            *encapsulated,
            *_profile_jumps("cali-pro-", workload),
            end,
        ],
    }


def _profile_jumps(prefix: str, workload: Workload) -> list[str]:
    rules = []
    for profile in workload.profiles:
        rules += [f"--jump {limited_name(prefix, profile)}", _PROFILE]
    return rules


def profile_chains(workload: Workload) -> Chains:
    """A namespace's profile lets everything in and out; a service account's says nothing."""
    namespace, account = workload.profiles
    accept = "--jump MARK --set-mark 0x10000/0x10000"
    chains = {}
    for prefix, direction in (("cali-pri-", "ingress"), ("cali-pro-", "egress")):
        says = comment(f"Profile {namespace} {direction}")
        chains[limited_name(prefix, namespace)] = [f"{says} {accept}"]
        chains[limited_name(prefix, account)] = [comment(f"Profile {account} {direction}")]
    return chains


def dispatch_chains(interfaces: Iterable[str]) -> Chains:
    """From an interface's name to its chains; what is unknown is dropped."""
    names = sorted(interfaces)
    return {
        "cali-from-wl-dispatch": [
            *(f"--in-interface {name} --goto cali-fw-{name}" for name in names),
            _UNKNOWN,
        ],
        "cali-to-wl-dispatch": [
            *(f"--out-interface {name} --goto cali-tw-{name}" for name in names),
            _UNKNOWN,
        ],
    }
