"""What makes a required node affinity invalid."""

from collections.abc import Iterator, Sequence

from podmatrix.lab.apiserver.objects import Object
from podmatrix.lab.apiserver.status import Cause, not_permitted, required, wrong

_TERMS = (
    "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
)


def required_terms(spec: Object) -> list[Object] | None:
    """The nodeSelectorTerms of a pod's required node affinity; None where it has none."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    selector = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return None if selector is None else selector.get("nodeSelectorTerms") or []


def node_affinity_causes(spec: Object) -> Iterator[Cause]:
    """Every requirement that no node could be asked."""
    terms = required_terms(spec)
    if terms is None:
        return
    if not terms:
        yield required(_TERMS, "must have at least one node selector term")
    for number, term in enumerate(terms):
        for at, one in enumerate(term.get("matchExpressions") or []):
            yield from _expression_causes(one, f"{_TERMS}[{number}].matchExpressions[{at}]")
        for at, one in enumerate(term.get("matchFields") or []):
            yield from _field_causes(one, f"{_TERMS}[{number}].matchFields[{at}]")


def _expression_causes(requirement: Object, path: str) -> Iterator[Cause]:
    operator, values = requirement.get("operator", ""), requirement.get("values") or []
    match operator:
        case "In" | "NotIn":
            if not values:
                detail = "must be specified when `operator` is 'In' or 'NotIn'"
                yield required(f"{path}.values", detail)
        case "Exists" | "DoesNotExist":
            if values:
                detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                yield not_permitted(f"{path}.values", detail)
        case "Gt" | "Lt":
            if len(values) != 1:
                detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
                yield required(f"{path}.values", detail)
        case _:
            yield wrong(f"{path}.operator", operator, "not a valid selector operator")


def _field_causes(requirement: Object, path: str) -> Iterator[Cause]:
    operator: str = requirement.get("operator", "")
    values: Sequence[str] = requirement.get("values") or []
    if operator not in ("In", "NotIn"):
        yield wrong(f"{path}.operator", operator, "not a valid selector operator")
    elif len(values) != 1:
        detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        yield required(f"{path}.values", detail)
    if requirement.get("key") != "metadata.name":
        yield wrong(f"{path}.key", requirement.get("key", ""), "not a valid field selector key")
