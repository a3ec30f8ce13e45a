"""Each fact of the plan to its check."""

from collections.abc import Callable, Iterable, Mapping

from podmatrix.errors import JudgeError
from podmatrix.layout import interfaces, pods
from podmatrix.layout.finding import Finding, broken
from podmatrix.layout.network_status import network_status
from podmatrix.layout.seen import Seen, Subject, find_interface
from podmatrix.model import JudgedFact, LayoutFact, Observations, PodLayout, Verdict
from podmatrix.profile import Profile

_BY_API: Mapping[str, Callable[[Seen, LayoutFact, str], Finding]] = {
    "node": pods.node,
    "node-address": pods.node_address,
}
_BY_POD: Mapping[str, Callable[[Seen, LayoutFact, PodLayout], Finding]] = {
    "interfaces": pods.interfaces,
    "default-route": pods.default_route,
}
_BY_INTERFACE: Mapping[str, Callable[[Subject], Finding]] = {
    "present": interfaces.present,
    "mtu": interfaces.mtu,
    "pool": interfaces.pool,
    "prefix": interfaces.prefix,
    "node-subnet": interfaces.node_subnet,
    "address-unique": interfaces.address_unique,
    "network-status": network_status,
}


def judge_layout(
    profile: Profile, facts: Iterable[LayoutFact], observations: Observations
) -> tuple[JudgedFact, ...]:
    """Judge every fact of the plan, in its order. Raises JudgeError for a check nobody knows."""
    seen = Seen(profile, observations)
    return tuple(_judged(seen, fact) for fact in facts)


def _judged(seen: Seen, fact: LayoutFact) -> JudgedFact:
    finding = _find(seen, fact)
    return JudgedFact(
        fact=fact,
        expected=finding.expected,
        observed=finding.observed,
        verdict=finding.verdict,
        detail=finding.detail,
    )


def _find(seen: Seen, fact: LayoutFact) -> Finding:
    role_id = f"{fact.kind}-{fact.slot}"
    if fact.kind not in seen.profile.pods:
        raise JudgeError(f"layout fact {fact.id}: the profile has no pod kind {fact.kind!r}")
    if fact.check in _BY_API:
        return _BY_API[fact.check](seen, fact, role_id)
    if problem := seen.layout_problem(role_id):
        return broken(problem)
    layout = seen.layout(role_id)
    if layout is not None and fact.check in _BY_POD:
        return _BY_POD[fact.check](seen, fact, layout)
    if layout is not None and fact.check in _BY_INTERFACE:
        return _find_of_interface(seen, fact, layout)
    raise JudgeError(f"layout fact {fact.id}: no check is called {fact.check!r}")


def _find_of_interface(seen: Seen, fact: LayoutFact, layout: PodLayout) -> Finding:
    declared = dict(seen.declared(fact.kind))
    name = declared.get(fact.interface or "")
    node, pod = seen.node(fact.slot), seen.pod(layout.role_id)
    if fact.interface is None or name is None:
        raise JudgeError(f"layout fact {fact.id}: the profile declares no such interface")
    if node is None or pod is None:
        return broken(f"no node plays slot {fact.slot} in this run")
    interface = find_interface(layout, fact.interface)
    if interface is None and fact.check == "present":
        return Finding(
            expected="up",
            observed=None,
            verdict=Verdict.FAIL,
            detail=f"the pod has no interface {fact.interface}",
        )
    if interface is None:
        return broken(f"not judged: the pod has no interface {fact.interface}")
    subject = Subject(
        role_id=layout.role_id,
        first=next(iter(declared)) == fact.interface,
        network_name=name,
        network=seen.profile.networks[name],
        node=node,
        pod=pod,
        interface=interface,
        seen=seen,
    )
    return _BY_INTERFACE[fact.check](subject)
