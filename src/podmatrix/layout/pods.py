"""Checks of a whole pod."""

from podmatrix.layout.finding import Finding, broken, compare, fails
from podmatrix.layout.interfaces import leases_of
from podmatrix.layout.seen import Seen
from podmatrix.model import LayoutFact, PodLayout
from podmatrix.profile import Network

# The kernel puts these into a new namespace while their modules are loaded
# (Documentation/admin-guide/sysctl/net.rst, fb_tunnels_only_for_init_net): nobody declared them.
KERNEL_FALLBACK_DEVICES = frozenset(
    ["tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6tnl0", "ip6gre0", "sit0"]
)


def node(seen: Seen, fact: LayoutFact, role_id: str) -> Finding:
    """The scheduler put the pod onto the node it was pinned to. Holds for pods that do not run."""
    pod, wanted = seen.pod(role_id), seen.node(fact.slot)
    if wanted is None:
        return broken(f"no node plays slot {fact.slot} in this run")
    if pod is None or not pod.node_name:
        return broken(seen.pod_problem(role_id) or "the pod is on no node")
    return compare(wanted.name, pod.node_name, f"pinned to {wanted.name}, runs on {pod.node_name}")


def node_address(seen: Seen, fact: LayoutFact, role_id: str) -> Finding:
    """A hostNetwork pod answers by its node's InternalIP, which is what cells aim at."""
    pod, wanted = seen.pod(role_id), seen.node(fact.slot)
    if problem := seen.pod_problem(role_id):
        return broken(problem)
    if pod is None or wanted is None:
        return broken(f"no node plays slot {fact.slot} in this run")
    found = ", ".join(pod.pod_ips) or None
    problems = (
        []
        if wanted.internal_ip in pod.pod_ips
        else [f"status.podIPs is {found or 'empty'}, InternalIP of {wanted.name} is another"]
    )
    return fails(wanted.internal_ip, found, problems)


def interfaces(seen: Seen, fact: LayoutFact, layout: PodLayout) -> Finding:
    """Names and order as declared; `lo` and the kernel's own devices do not count."""
    ignored = KERNEL_FALLBACK_DEVICES | {"lo"}
    names = [live.name for live in layout.interfaces if live.name not in ignored]
    declared = [name for name, _ in seen.declared(fact.kind)]
    missing = [name for name in declared if name not in names]
    extra = [name for name in names if name not in declared]
    problems = [f"missing: {', '.join(missing)}"] if missing else []
    problems += [f"not declared: {', '.join(extra)}"] if extra else []
    if not problems and names != declared:
        problems = ["in another order than declared"]
    return fails(", ".join(declared), ", ".join(names) or None, problems)


def default_route(seen: Seen, fact: LayoutFact, layout: PodLayout) -> Finding:
    """Exactly one default route in each family, by the first interface.

    Two equal ones are wrong even while every ping passes: the kernel chooses by neighbour state.
    """
    first, name = seen.declared(fact.kind)[0]
    network = seen.profile.networks[name]
    if unread := [family for family in network.families if family in layout.routes_unread]:
        families = " and ".join(f"IPv{family}" for family in unread)
        return broken(f"its {families} routes could not be read: `ip route` failed in the pod")
    problems: list[str] = []
    for family in network.families:
        routes = [route for route in layout.default_routes if _family(route) == family]
        if len(routes) != 1:
            problems.append(_count_problem(len(routes), family))
        elif _word_after("dev", routes[0]) != first:
            problems.append(f"it leaves by {_word_after('dev', routes[0])}, not by {first}")
        else:
            problems += _gateway_problems(seen, fact, network, routes[0])
    found = "; ".join(layout.default_routes) or None
    return fails(f"one by {first}", found, problems)


def _count_problem(n: int, family: int) -> str:
    if n == 0:
        return f"no default route for IPv{family}"
    return (
        f"{n} default routes for IPv{family}: which one is taken changes with neighbour state; "
        "set isDefaultGateway to false in the NetworkAttachmentDefinition of the added interface"
    )


def _gateway_problems(seen: Seen, fact: LayoutFact, network: Network, route: str) -> list[str]:
    """Flannel's gateway is the node's cni0, which has the first address of the node's subnet."""
    node_ = seen.node(fact.slot)
    gateway = _word_after("via", route)
    if network.cni != "flannel" or node_ is None or not gateway:
        return []
    first_addresses = [str(lease[1]) for lease in leases_of(node_, network)]
    if not first_addresses or gateway in first_addresses:
        return []
    return [f"its gateway is {gateway}, cni0 of {node_.name} has {', '.join(first_addresses)}"]


def _family(route: str) -> int:
    return 6 if ":" in _word_after("via", route) else 4


def _word_after(key: str, route: str) -> str:
    words = route.split()
    return words[words.index(key) + 1] if key in words[:-1] else ""
