"""The few objects that kubectl sends as protobuf, whatever the server says it takes.

Since 1.34 `kubectl create namespace` and its like (the typed clients) send
`application/vnd.kubernetes.protobuf`. Answers may be JSON: clients look at the Content-Type. Field
numbers: generated.proto of k8s.io/api and k8s.io/apimachinery.
"""

from collections.abc import Iterator

from podmatrix.lab.apiserver.objects import Json, Object
from podmatrix.lab.apiserver.status import bad_request

MAGIC = b"k8s\x00"

Fields = dict[int, tuple[str, str]]
"""Field number -> (JSON name, type): string, int, bool, bytes, a message; [] or {} in front."""

_MESSAGES: dict[str, Fields] = {
    "ObjectMeta": {
        1: ("name", "string"),
        2: ("generateName", "string"),
        3: ("namespace", "string"),
        4: ("selfLink", "string"),
        5: ("uid", "string"),
        6: ("resourceVersion", "string"),
        7: ("generation", "nonzero"),
        8: ("creationTimestamp", "Time"),
        11: ("labels", "{}string"),
        12: ("annotations", "{}string"),
        14: ("finalizers", "[]string"),
    },
    "Time": {},
    "Namespace": {
        1: ("metadata", "ObjectMeta"),
        2: ("spec", "NamespaceSpec"),
        3: ("status", "NamespaceStatus"),
    },
    "NamespaceSpec": {1: ("finalizers", "[]string")},
    "NamespaceStatus": {1: ("phase", "string")},
    "ConfigMap": {
        1: ("metadata", "ObjectMeta"),
        2: ("data", "{}string"),
        4: ("immutable", "bool"),
    },
    "ServiceAccount": {
        1: ("metadata", "ObjectMeta"),
        4: ("automountServiceAccountToken", "bool"),
    },
    "SelfSubjectAccessReview": {
        1: ("metadata", "ObjectMeta"),
        2: ("spec", "SelfSubjectAccessReviewSpec"),
        3: ("status", "SubjectAccessReviewStatus"),
    },
    "SelfSubjectAccessReviewSpec": {
        1: ("resourceAttributes", "ResourceAttributes"),
        2: ("nonResourceAttributes", "NonResourceAttributes"),
    },
    "ResourceAttributes": {
        number: (name, "string")
        for number, name in enumerate(
            ("namespace", "verb", "group", "version", "resource", "subresource", "name"), 1
        )
    },
    "NonResourceAttributes": {1: ("path", "string"), 2: ("verb", "string")},
    "SubjectAccessReviewStatus": {
        1: ("allowed", "bool"),
        2: ("reason", "string"),
        3: ("evaluationError", "string"),
        4: ("denied", "bool"),
    },
    "DeleteOptions": {
        1: ("gracePeriodSeconds", "int"),
        2: ("preconditions", "Preconditions"),
        3: ("orphanDependents", "bool"),
        4: ("propagationPolicy", "string"),
        5: ("dryRun", "[]string"),
    },
    "Preconditions": {1: ("uid", "string"), 2: ("resourceVersion", "string")},
    "Unknown": {
        1: ("typeMeta", "TypeMeta"),
        2: ("raw", "bytes"),
        3: ("", "string"),
        4: ("", "string"),
    },
    "TypeMeta": {1: ("apiVersion", "string"), 2: ("kind", "string")},
}


def decode(body: bytes) -> Object:
    """The object in a `k8s\\0` envelope as JSON data. Raises ApiError 400."""
    if not body.startswith(MAGIC):
        raise bad_request("the body is no Kubernetes protobuf: it does not begin with k8s\\x00")
    try:
        envelope = _message(body[len(MAGIC) :], "Unknown")
        meta = envelope.get("typeMeta", {})
        kind = meta.get("kind", "")
        if kind not in _MESSAGES:
            raise bad_request(f"{kind} is not read as protobuf here, send it as application/json")
        return {**meta, **_message(envelope.get("raw", b""), kind)}
    except (IndexError, UnicodeDecodeError) as exc:
        raise bad_request(f"the protobuf body cannot be read: {exc}") from exc


def _message(data: bytes, name: str) -> Object:
    fields, found = _MESSAGES[name], Object()
    for number, value in _wire(data):
        if number not in fields:
            if value:
                raise bad_request(f"protobuf field {number} of {name} is not read here, send JSON")
            continue
        key, kind = fields[number]
        if kind.startswith("{}"):
            pair = dict(_wire(value))
            entries = found.setdefault(key, {})
            entries[pair.get(1, b"").decode()] = _scalar(pair.get(2, b""), kind[2:])
        elif kind.startswith("[]"):
            found.setdefault(key, []).append(_scalar(value, kind[2:]))
        elif kind == "nonzero" and not value:
            continue  # written even where it was never set
        elif (one := _scalar(value, kind)) not in ("", {}):
            found[key] = one
    return found


def _scalar(value: Json, kind: str) -> Json:
    match kind:
        case "string":
            return value.decode()
        case "bytes":
            return value
        case "bool":
            return bool(value)
        case "int" | "nonzero":
            return value - (1 << 64) if value >> 63 else value
    return _message(value, kind)


def _wire(data: bytes) -> Iterator[tuple[int, Json]]:
    """Field numbers and raw values: an int for varints, bytes for what has a length."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
        elif tag & 7 == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise IndexError("a field is longer than the body")
            yield tag >> 3, data[at : at + length]
            at += length
        else:
            raise IndexError(f"wire type {tag & 7} is not used by these messages")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
