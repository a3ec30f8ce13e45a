"""Whether a pod may run on a node: component-helpers/scheduling/corev1/nodeaffinity, taints."""

from collections.abc import Mapping

from podmatrix.lab.apiserver.kinds.affinity_rules import required_terms
from podmatrix.lab.apiserver.objects import Object, name_of
from podmatrix.lab.apiserver.selectors import compares


def matches_node(pod: Object, node: Object) -> bool:
    """Whether nodeSelector and required node affinity let the pod onto the node."""
    spec, labels = pod["spec"], node["metadata"].get("labels") or {}
    wanted: Mapping[str, str] = spec.get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    terms = required_terms(spec)
    return terms is None or any(_term_matches(term, labels, name_of(node)) for term in terms)


def _term_matches(term: Object, labels: Mapping[str, str], name: str) -> bool:
    """All requirements of a term must hold; a term without any matches nothing."""
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    return all(requirement_holds(one, labels) for one in expressions) and all(
        requirement_holds(one, {"metadata.name": name}) for one in fields
    )


def requirement_holds(requirement: Object, labels: Mapping[str, str]) -> bool:
    """One requirement: In, NotIn, Exists, DoesNotExist, Gt, Lt."""
    value = labels.get(requirement["key"])
    values: list[str] = requirement.get("values") or []
    match requirement["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return compares(value, values[0], above=True)
    return compares(value, values[0], above=False)


def untolerated_taint(pod: Object, node: Object) -> Object | None:
    """The first taint that keeps the pod off the node, None if there is none."""
    tolerations = pod["spec"].get("tolerations") or []
    for taint in node.get("spec", {}).get("taints") or []:
        if taint.get("effect") == "PreferNoSchedule":
            continue
        if not any(_tolerates(one, taint) for one in tolerations):
            found: Object = taint
            return found
    return None


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("key") not in (None, "", taint.get("key")):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return (toleration.get("value") or "") == (taint.get("value") or "")
