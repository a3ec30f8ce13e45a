"""What the generic handler knows of a kind: one `Resource` each, no code of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from podmatrix.lab.apiserver.objects import Object
from podmatrix.lab.apiserver.status import Cause

if TYPE_CHECKING:
    from podmatrix.lab.apiserver.store import Store

READ = ("get", "list", "watch")
EVERY_VERB = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")

Labels = Mapping[str, Callable[[Object], str]]
"""Field labels a fieldSelector may name, each with where its value is found."""


def _no_defaults(_obj: Object) -> None:
    """Set nothing."""


def _no_rules(_obj: Object, _old: Object | None) -> Sequence[Cause]:
    """Everything is valid."""
    return ()


def _admit(_store: "Store", _obj: Object) -> None:
    """Let everything in."""


def _unchanged(obj: Object) -> Object:
    return obj


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the Table that `kubectl get` prints; priority 1 is shown by `-o wide` only.

    `cell` gets the object and the time to count ages from.
    """

    name: str
    cell: Callable[[Object, datetime], Any]
    type: str = "string"
    format: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subresource:
    """For example pods/status or pods/exec."""

    name: str
    kind: str
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind as it is served.

    `storage` is the key of its objects in the store: resources that show the same objects in two
    groups share it, `view` then makes one shape of the other. `set_defaults` changes a new object
    in place, `validate` tells what is wrong with it (old is None on create), `admit` raises
    ApiError. `stored` False: answered and forgotten. `generation`: counts changes of the spec.
    `graceful`: deletion waits for the kubelet. `custom`: made by a CRD: differs in details.
    """

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    storage: str = ""
    verbs: tuple[str, ...] = EVERY_VERB
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[Subresource, ...] = ()
    columns: tuple[Column, ...] = ()
    field_labels: Labels = field(default_factory=dict)
    schema: str = ""
    set_defaults: Callable[[Object], None] = _no_defaults
    validate: Callable[[Object, Object | None], Sequence[Cause]] = _no_rules
    admit: "Callable[[Store, Object], None]" = _admit
    view: Callable[[Object], Object] = _unchanged
    stored: bool = True
    generation: bool = False
    graceful: bool = False
    custom: bool = False

    @property
    def key(self) -> str:
        """The key of its objects in the store."""
        return self.storage or (f"{self.plural}.{self.group}" if self.group else self.plural)

    @property
    def api_version(self) -> str:
        """For example `v1` or `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def subresource(self, name: str) -> Subresource | None:
        """The subresource of that name, if it has one."""
        return next((one for one in self.subresources if one.name == name), None)
