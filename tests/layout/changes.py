"""What can be different from a healthy run, one thing at a time."""

from collections.abc import Callable
from dataclasses import replace

from podmatrix.layout import judge_layout
from podmatrix.model import Interface, JudgedFact, LivePod, Node, Observations, PodLayout
from podmatrix.plan import make_plan, slots_for
from podmatrix.profile import Profile, load_profile
from tests.samples import observations

Change = Callable[[Observations], Observations]


def facts(*changes: Change, profile: str | Profile = "owner", n: int = 2) -> dict[str, JudgedFact]:
    """Judge the layout of a healthy run after `changes`; by fact id."""
    declared = load_profile(profile) if isinstance(profile, str) else profile
    plan = make_plan(declared, slots_for(n))
    seen = observations(declared, plan, {}, n)
    for change in changes:
        seen = change(seen)
    return {judged.fact.id: judged for judged in judge_layout(declared, plan.facts, seen)}


def layout(role_id: str, change: Callable[[PodLayout], PodLayout]) -> Change:
    """Change what was read inside one pod."""
    return lambda seen: replace(
        seen, layouts=tuple(change(p) if p.role_id == role_id else p for p in seen.layouts)
    )


def interface(role_id: str, name: str, **fields: object) -> Change:
    """Change fields of one live interface."""

    def changed(live: Interface) -> Interface:
        return replace(live, **fields) if live.name == name else live  # type: ignore[arg-type]

    return layout(role_id, lambda p: replace(p, interfaces=tuple(changed(i) for i in p.interfaces)))


def without_interface(role_id: str, name: str) -> Change:
    """Take one live interface away."""
    return layout(
        role_id,
        lambda p: replace(p, interfaces=tuple(i for i in p.interfaces if i.name != name)),
    )


def default_routes(role_id: str, *routes: str) -> Change:
    """Give one pod these default routes."""
    return layout(role_id, lambda p: replace(p, default_routes=routes))


def pod(role_id: str, **fields: object) -> Change:
    """Change what the API shows of one pod."""

    def changed(live: LivePod) -> LivePod:
        return replace(live, **fields) if live.role_id == role_id else live  # type: ignore[arg-type]

    return lambda seen: replace(seen, pods=tuple(changed(p) for p in seen.pods))


def node(slot: str, **fields: object) -> Change:
    """Change one node."""

    def changed(its: Node) -> Node:
        return replace(its, **fields) if its.slot == slot else its  # type: ignore[arg-type]

    return lambda seen: replace(seen, nodes=tuple(changed(n) for n in seen.nodes))
