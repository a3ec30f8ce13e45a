"""The options of list and watch: versions, pages and what may not be combined.

The rules are those of k8s.io/apimachinery/pkg/apis/meta/internalversion/validation; a continue
token is base64 of the JSON that k8s.io/apiserver/pkg/storage writes.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from podmatrix.lab.apiserver.objects import Object, name_of, namespace_of
from podmatrix.lab.apiserver.request_info import flag, number, resource_version
from podmatrix.lab.apiserver.selectors import Predicate
from podmatrix.lab.apiserver.status import (
    ApiError,
    Cause,
    bad_request,
    continue_expired,
    invalid,
    list_expired,
    not_permitted,
    too_large_version,
    unsupported,
)
from podmatrix.lab.apiserver.store import Store

_MATCH = "resourceVersionMatch"
_TOKEN_VERSION = "meta.k8s.io/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """What a list asks for. `version` None: any; `exact`: neither older nor newer."""

    version: int | None = None
    exact: bool = False
    limit: int = 0
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list, `metadata` (of the list) says what follows."""

    objects: Sequence[Object]
    metadata: Object


def list_options(query: Mapping[str, str]) -> ListOptions:
    """The options of a list. Raises ApiError 400 or 422."""
    causes = [*_match_causes(query), *_initial_causes(query)]
    if causes:
        raise invalid("ListOptions", "", causes, "meta.k8s.io")
    limit, token = max(number(query, "limit") or 0, 0), query.get("continue", "")
    match = query.get(_MATCH, "")
    try:
        version = resource_version(query)
    except ApiError as exc:
        raise bad_request(f"invalid resource version: {exc}") from exc
    if token and version:
        raise bad_request("specifying resource version is not allowed when using continue")
    # Without a match a page is of the very version that is asked for; 0 means any, and all of it.
    paged = limit > 0 and not match and bool(version)
    if version == 0:
        limit = 0
    exact = match == "Exact" or paged
    return ListOptions(version=version, exact=exact, limit=limit, token=token)


def check_watch(query: Mapping[str, str]) -> None:
    """Raises ApiError 422 for options that no watch may have together."""
    causes = []
    match, initial = query.get(_MATCH, ""), "sendInitialEvents" in query
    if initial and match != "NotOlderThan":
        detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        causes.append(not_permitted(_MATCH, detail))
    if match and not initial:
        detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        causes.append(not_permitted(_MATCH, detail))
    if match and match != "NotOlderThan":
        causes.append(unsupported(_MATCH, match, ("NotOlderThan",)))
    if causes:
        raise invalid("ListOptions", "", causes, "meta.k8s.io")
    flag(query, "sendInitialEvents")


def _match_causes(query: Mapping[str, str]) -> Iterator[Cause]:
    match, version = query.get(_MATCH, ""), query.get("resourceVersion", "")
    if not match:
        return
    if not version:
        detail = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        yield not_permitted(_MATCH, detail)
    if query.get("continue"):
        yield not_permitted(_MATCH, "resourceVersionMatch is forbidden when continue is provided")
    if match not in ("Exact", "NotOlderThan"):
        yield unsupported(_MATCH, match, ("Exact", "NotOlderThan", ""))
    if match == "Exact" and version == "0":
        detail = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        yield not_permitted(_MATCH, detail)


def _initial_causes(query: Mapping[str, str]) -> Iterator[Cause]:
    if "sendInitialEvents" in query:
        yield not_permitted("sendInitialEvents", "sendInitialEvents is forbidden for list")


def read_page(
    store: Store, key: str, namespace: str, options: ListOptions, selects: Predicate, *, whole: bool
) -> Page:
    """The objects a list is answered with. Raises ApiError 400, 410 or 504.

    `whole`: nothing is selected, so that what remains can be counted, as the real server does.
    """
    version, after = store.version, ("", "")
    if options.token:
        version, after = _read_token(options.token, store)
    elif options.version:
        check_version(store, options.version)
        version = options.version if options.exact else store.version
    try:
        found = [one for one in store.list_at(key, namespace, version) if selects(one)]
    except ApiError as exc:
        if not options.token:
            raise list_expired() from exc
        start = _token(-1, after)
        raise continue_expired(start) from exc
    left = [one for one in found if (namespace_of(one), name_of(one)) > after]
    shown = left[: options.limit] if options.limit else left
    metadata: Object = {"resourceVersion": str(version)}
    if len(shown) < len(left):
        last = (namespace_of(shown[-1]), name_of(shown[-1]))
        metadata["continue"] = _token(version, last)
        if whole:
            metadata["remainingItemCount"] = len(left) - len(shown)
    return Page(objects=shown, metadata=metadata)


def check_version(store: Store, version: int) -> None:
    """Raises ApiError 504 for a version that the store has not reached."""
    if version > store.version:
        raise too_large_version(version, store.version)


def _token(version: int, last: tuple[str, str]) -> str:
    text = json.dumps(
        {"v": _TOKEN_VERSION, "rv": version, "start": "/".join(last) + "\0"}, separators=(",", ":")
    )
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _read_token(token: str, store: Store) -> tuple[int, tuple[str, str]]:
    """The version and the last name of a page; -1 means: what there is now."""
    try:
        read = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        version, start = int(read["rv"]), str(read["start"]).rstrip("\0")
    except (ValueError, KeyError, TypeError) as exc:
        raise bad_request(f"invalid continue token: continue key is not valid: {exc}") from exc
    namespace, _, name = start.rpartition("/")
    return store.version if version < 0 else version, (namespace, name)
