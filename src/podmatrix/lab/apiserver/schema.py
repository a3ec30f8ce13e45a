"""Structural schemas of the kinds: what may stand in an object, as the real server decodes it.

`data/schemas.json` holds the schemas of Kubernetes 1.34's own OpenAPI documents (without the
descriptions) for the kinds in the registry. Objects are decoded as Go does it: a value of the wrong
type is an error, a field that is not known is dropped and reported, null is left out.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from podmatrix.lab.apiserver.objects import Json

Schema = dict[str, Json]

_REF = "#/components/schemas/"


@cache
def schemas() -> dict[str, Schema]:
    """All schemas by their OpenAPI names, for example `io.k8s.api.core.v1.Pod`."""
    text = resources.files(__package__).joinpath("data/schemas.json").read_text(encoding="utf-8")
    loaded: dict[str, Schema] = json.loads(text)
    return loaded


class TypeMismatch(Exception):
    """A value of another JSON type than its field has.

    `struct` and `path` name the field as Go's decoder does, `indexed` with the indices of lists.
    """

    def __init__(
        self, *, value: object, struct: str, path: str, indexed: str, go_type: str
    ) -> None:
        shown = describe(value, exactly=go_type.startswith("int"))
        where = f"{struct}.{path}"
        super().__init__(
            f"json: cannot unmarshal {shown} into Go struct field {where} of type {go_type}"
        )
        self.value = value
        self.indexed = indexed
        self.go_type = go_type


class JsonObject(dict[str, Json]):
    """A JSON object as it was sent, with the names that stood in it more than once."""

    duplicates: tuple[str, ...] = ()


def json_object(pairs: list[tuple[str, Json]]) -> JsonObject:
    """An object_pairs_hook that remembers duplicates."""
    found = JsonObject(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        found.duplicates = tuple(sorted({one for one in names if names.count(one) > 1}))
    return found


def describe(value: object, *, exactly: bool = False) -> str:
    """The JSON type of a value in Go's words; numbers with their value where `exactly`."""
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float():
            return f"number {value}" if exactly else "number"
        case list():
            return "array"
    return "object"


@dataclass(slots=True, kw_only=True)
class Decoder:
    """Decodes values by schema; `unknown` and `duplicates` collect fields, by their paths."""

    unknown: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)

    def complaints(self) -> list[str]:
        """What strict decoding says."""
        return [f'duplicate field "{one}"' for one in self.duplicates] + [
            f'unknown field "{one}"' for one in self.unknown
        ]

    def decode(self, value: Json, schema_name: str) -> Json:
        """The value with unknown fields and nulls left out. Raises TypeMismatch."""
        struct = schema_name.rpartition(".")[2]
        return self._value(value, {"$ref": _REF + schema_name}, struct, "", "")

    def _value(self, value: Json, schema: Schema, struct: str, path: str, indexed: str) -> Json:
        go_type, outer = _go_type(schema), struct
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(_REF)
            schema = schemas()[name]
            struct = name.rpartition(".")[2] if "properties" in schema else struct
        if "oneOf" in schema or "type" not in schema:
            return value
        if not _fits(value, schema["type"]):
            raise TypeMismatch(
                value=value, struct=outer, path=path, indexed=indexed, go_type=go_type
            )
        match schema["type"]:
            case "object":
                return self._object(value, schema, struct, path, indexed)
            case "array":
                items = schema["items"]
                return [
                    self._value(one, items, struct, path, f"{indexed}[{number}]")
                    for number, one in enumerate(value)
                ]
        return value

    def _object(self, value: Json, schema: Schema, struct: str, path: str, indexed: str) -> Json:
        properties, extra = schema.get("properties"), schema.get("additionalProperties")
        if properties is None and not isinstance(extra, dict):
            return value  # free-form, for example FieldsV1
        if isinstance(value, JsonObject):
            self.duplicates += [_joined(indexed, name) for name in value.duplicates]
        decoded = {}
        for name, one in value.items():
            inner = extra if properties is None else properties.get(name)
            if not isinstance(inner, dict):
                self.unknown.append(_joined(indexed, name))
            elif one is not None:
                deeper = path if properties is None else _joined(path, name)
                decoded[name] = self._value(one, inner, struct, deeper, _joined(indexed, name))
        return decoded


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _fits(value: object, type_: str) -> bool:
    match type_:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _go_type(schema: Schema) -> str:
    if "$ref" in schema:
        return "v1." + str(schema["$ref"]).rpartition(".")[2]
    match schema.get("type"):
        case "boolean":
            return "bool"
        case "integer":
            return str(schema.get("format", "int64"))
        case "number":
            return "float64"
        case "array":
            return "[]" + _go_type(schema["items"])
        case "object":
            extra = schema.get("additionalProperties")
            return "map[string]" + _go_type(extra) if isinstance(extra, dict) else "struct"
    return "string"
