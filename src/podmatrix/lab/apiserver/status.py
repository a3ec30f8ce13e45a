"""What the API server says when it says no: errors that become a Kubernetes `Status`.

The wording is that of kube-apiserver 1.34 (k8s.io/apimachinery/pkg/api/errors), recorded from a
real one: clients and people match on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from podmatrix.errors import LabError
from podmatrix.lab.apiserver.objects import Json, Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One reason of an Invalid status: `spec.containers[0].name: Required value`."""

    reason: str
    message: str
    field: str


class ApiError(LabError):
    """A request that is answered with a Status of kind Failure."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Object | None = None,
        metadata: Object | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details
        self.metadata = metadata or {}

    def body(self) -> Object:
        """The Status object."""
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": str(self),
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return {**status, "code": self.code}


def success(details: Object) -> Object:
    """The Status that answers a deletion."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }


def _details(name: str, group: str, kind: str, causes: Sequence[Cause] = ()) -> Object:
    details: Object = {"name": name, "group": group, "kind": kind}
    if causes:
        details["causes"] = [
            {
                key: value
                for key, value in (("reason", c.reason), ("message", c.message), ("field", c.field))
                if value
            }
            for c in causes
        ]
    return {key: value for key, value in details.items() if value}


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def not_found(resource: str, name: str, group: str = "") -> ApiError:
    """404 `pods "x" not found`."""
    message = f'{_qualified(resource, group)} "{name}" not found'
    return ApiError(404, "NotFound", message, details=_details(name, group, resource))


def no_such_resource() -> ApiError:
    """404 for a path that no resource has."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def method_not_allowed() -> ApiError:
    """405 for a verb that the resource does not have."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def already_exists(resource: str, name: str, group: str = "") -> ApiError:
    """409 `pods "x" already exists`."""
    message = f'{_qualified(resource, group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_details(name, group, resource))


def conflict(resource: str, name: str, why: str, group: str = "") -> ApiError:
    """409 `Operation cannot be fulfilled on pods "x": ...`."""
    message = f'Operation cannot be fulfilled on {_qualified(resource, group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(name, group, resource))


def modified(resource: str, name: str, group: str = "") -> ApiError:
    """409 for a resourceVersion that is not the newest."""
    why = (
        "the object has been modified; please apply your changes to the latest version "
        "and try again"
    )
    return conflict(resource, name, why, group)


def invalid(kind: str, name: str, causes: Sequence[Cause], group: str = "") -> ApiError:
    """422 `Pod "x" is invalid: spec.containers: Required value`, with one cause for each."""
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    listed = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    message = f'{_qualified(kind, group)} "{name}" is invalid: {listed}'
    return ApiError(422, "Invalid", message, details=_details(name, group, kind, causes))


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def forbidden(
    resource: str, name: str, why: str, group: str = "", causes: Sequence[Cause] = ()
) -> ApiError:
    """403 `pods "x" is forbidden: ...`."""
    message = f'{_qualified(resource, group)} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, details=_details(name, group, resource, causes))


def unauthorized() -> ApiError:
    """401: no valid client certificate."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """415, naming what would have been taken."""
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted)
    )
    return ApiError(415, "UnsupportedMediaType", message)


def not_acceptable(offered: Sequence[str]) -> ApiError:
    """406, naming what can be had."""
    message = f"406: Not Acceptable\n\nAvailable representations: {', '.join(offered)}"
    return ApiError(406, "NotAcceptable", message, details={})


def expired(asked: int, oldest: int) -> ApiError:
    """410: the changes after that resourceVersion are no longer kept."""
    return ApiError(410, "Expired", f"too old resource version: {asked} ({oldest})")


def list_expired() -> ApiError:
    """410: a list at a version that is no longer kept."""
    return ApiError(410, "Expired", "The resourceVersion for the provided list is too old.")


def continue_expired(token: str) -> ApiError:
    """410 for a next page whose version is no longer kept; `token` goes on with what there is."""
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can "
        "start a new list without the continue parameter, or use the continue token in this "
        "response to retrieve the remainder of the results. Continuing with the provided token "
        "results in an inconsistent list - objects that were created, modified, or deleted between "
        "the time the first chunk was returned and now may show up in the list."
    )
    return ApiError(410, "Expired", message, metadata={"continue": token})


def too_large_version(asked: int, current: int) -> ApiError:
    """504: a version that does not exist yet."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    details = {"causes": [cause], "retryAfterSeconds": 1}
    return ApiError(504, "Timeout", message, details=details)


def required(field: str, detail: str = "") -> Cause:
    """A field that must be there."""
    message = f"Required value: {detail}" if detail else "Required value"
    return Cause(reason="FieldValueRequired", message=message, field=field)


def wrong(field: str, value: Json, detail: str) -> Cause:
    """A value that breaks a rule; strings are shown in quotes, as Go's %q does."""
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return Cause(
        reason="FieldValueInvalid", message=f"Invalid value: {shown}: {detail}", field=field
    )


def unsupported(field: str, value: str, supported: Sequence[str]) -> Cause:
    """A value that is none of those known."""
    listed = ", ".join(f'"{one}"' for one in supported)
    message = f'Unsupported value: "{value}": supported values: {listed}'
    return Cause(reason="FieldValueNotSupported", message=message, field=field)


def duplicate(field: str, value: str) -> Cause:
    """A value that must be unique and is not."""
    return Cause(reason="FieldValueDuplicate", message=f'Duplicate value: "{value}"', field=field)


def not_permitted(field: str, detail: str) -> Cause:
    """A field that may not be set, or changed."""
    return Cause(reason="FieldValueForbidden", message=f"Forbidden: {detail}", field=field)
