"""What Go's encoding/json says of JSON that it cannot read: Multus' messages end in its words."""

import json

_MESSAGES = (
    ("Expecting property name", "looking for beginning of object key string"),
    ("Expecting ':'", "after object key"),
    ("Expecting ','", "after array element or object value"),
    ("Extra data", "after top-level value"),
    ("", "looking for beginning of value"),
)


def go_json_error(exc: ValueError) -> str:
    """In Go's words, where it is a syntax error; else its own."""
    if not isinstance(exc, json.JSONDecodeError):
        return str(exc)
    if exc.pos >= len(exc.doc.rstrip()) or exc.msg.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    context = next(words for start, words in _MESSAGES if exc.msg.startswith(start))
    return f"invalid character '{exc.doc[exc.pos]}' {context}"


def cannot_unmarshal(value: object, into: str) -> str:
    """A value of a kind that does not fit `into`."""
    kinds = {dict: "object", list: "array", str: "string", bool: "bool"}
    return f"json: cannot unmarshal {kinds.get(type(value), 'number')} into {into}"
