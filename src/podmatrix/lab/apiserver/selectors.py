"""Label and field selectors, as k8s.io/apimachinery reads them from a query."""

import re
from collections.abc import Callable, Mapping

from podmatrix.lab.apiserver.objects import Object
from podmatrix.lab.apiserver.resource import Labels
from podmatrix.lab.apiserver.status import bad_request

Predicate = Callable[[Object], bool]

_TOKEN = re.compile(r"\s*(==|!=|=|!|\(|\)|,|<|>|[^\s=!(),<>]+)")
_OPERATORS = ("=", "==", "!=", "in", "notin", "gt", "lt", ">", "<")


def label_selector(text: str) -> Predicate:
    """The predicate of a labelSelector; an empty one takes everything. Raises ApiError 400."""
    requirements = _Labels(text).requirements()

    def matches(obj: Object) -> bool:
        labels = obj.get("metadata", {}).get("labels") or {}
        return all(requirement(labels) for requirement in requirements)

    return matches


class _Labels:
    """Reads `a=b,c in (d,e),!f` token by token."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._at = 0

    def requirements(self) -> list[Callable[[Mapping[str, str]], bool]]:
        found = []
        while self._peek():
            found.append(self._requirement())
            if self._peek() and self._next() != ",":
                raise bad_request(
                    f"unable to parse requirement: found '{self._tokens[self._at - 1]}', "
                    "expected: ',' or 'end of string'"
                )
        return found

    def _requirement(self) -> Callable[[Mapping[str, str]], bool]:
        if self._peek() == "!":
            self._next()
            absent = self._next()
            return lambda labels: absent not in labels
        key = self._next()
        if self._peek() in ("", ","):
            return lambda labels: key in labels
        operator = self._next()
        if operator not in _OPERATORS:
            raise bad_request(
                f"unable to parse requirement: found '{operator}', "
                "expected: in, notin, =, ==, !=, gt, lt"
            )
        if operator in ("in", "notin"):
            values = self._values()
            if operator == "in":
                return lambda labels: labels.get(key) in values
            return lambda labels: labels.get(key) not in values
        value = "" if self._peek() in ("", ",") else self._next()
        if operator in ("=", "=="):
            return lambda labels: labels.get(key) == value
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        above = operator in ("gt", ">")
        return lambda labels: compares(labels.get(key), value, above=above)

    def _values(self) -> set[str]:
        if self._next() != "(":
            raise bad_request("unable to parse requirement: expected: '('")
        values = set()
        while (token := self._next()) != ")":
            if not token:
                raise bad_request("unable to parse requirement: expected: ')'")
            if token != ",":
                values.add(token)
        return values

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token


def compares(label: str | None, value: str, *, above: bool) -> bool:
    """Whether both are whole numbers and the label is above (Gt), or below (Lt), the value."""
    try:
        have, want = int(label or ""), int(value)
    except ValueError:
        return False
    return have > want if above else have < want


def field_selector(text: str, labels: Labels) -> Predicate:
    """The predicate of a fieldSelector over the labels a resource has. Raises ApiError 400."""
    terms = [_field_term(term, labels) for term in re.split(r"(?<!\\),", text) if term]
    return lambda obj: all((read(obj) == value) is equal for read, value, equal in terms)


def _field_term(term: str, labels: Labels) -> tuple[Callable[[Object], str], str, bool]:
    match = re.match(r"([^=!]+)(==|=|!=)(.*)$", term)
    if match is None:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    name, operator, value = match.groups()
    if name not in labels:
        raise bad_request(f"field label not supported: {name}")
    return labels[name], re.sub(r"\\([\\,=])", r"\1", value), operator != "!="
