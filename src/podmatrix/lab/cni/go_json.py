"""What Go's encoding/json says of JSON that it cannot read: Multus' messages end in its words."""

import json
import re

_MESSAGES = (
    ("Expecting property name", "looking for beginning of object key string"),
    ("Expecting ':'", "after object key"),
    ("Extra data", "after top-level value"),
    ("", "looking for beginning of value"),
)
_LITERALS = {"t": "true", "f": "false", "n": "null"}


def go_json_error(exc: ValueError) -> str:
    """In Go's words, where it is a syntax error; else its own."""
    if not isinstance(exc, json.JSONDecodeError):
        return str(exc)
    rest = exc.doc[exc.pos :].rstrip()
    if not rest or exc.msg.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    if exc.msg.startswith("Expecting value") and rest[0] in _LITERALS:
        return _wrong_literal(rest, _LITERALS[rest[0]])
    if exc.msg.startswith("Expecting ','"):
        inside = _innermost(exc.doc[: exc.pos])
        context = "after array element" if inside == "[" else "after object key:value pair"
    else:
        context = next(words for start, words in _MESSAGES if exc.msg.startswith(start))
    return f"invalid character {_quoted(rest[0])} {context}"


def cannot_unmarshal(value: object, into: str) -> str:
    """A value of a kind that does not fit `into`."""
    kinds = {dict: "object", list: "array", str: "string", bool: "bool"}
    return f"json: cannot unmarshal {kinds.get(type(value), 'number')} into {into}"


def _wrong_literal(rest: str, literal: str) -> str:
    for expected, found in zip(literal, rest, strict=False):
        if found != expected:
            where = f"in literal {literal} (expecting {_quoted(expected)})"
            return f"invalid character {_quoted(found)} {where}"
    return "unexpected end of JSON input"


def _quoted(character: str) -> str:
    return "'\\''" if character == "'" else f"'{character}'"


def _innermost(text: str) -> str:
    """The bracket that is open at the end of a text."""
    open_brackets = [""]
    for bracket in re.findall(r"[][{}]", re.sub(r'"(?:\\.|[^"\\])*"', "", text)):
        if bracket in "[{":
            open_brackets.append(bracket)
        else:
            open_brackets.pop()
    return open_brackets[-1]
