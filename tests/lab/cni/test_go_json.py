"""What Go's encoding/json says of the same text."""

import json

import pytest

from podmatrix.lab.cni.go_json import cannot_unmarshal, go_json_error


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "unexpected end of JSON input"),
        ("", "unexpected end of JSON input"),
        ('{"a": "b', "unexpected end of JSON input"),
        ("nonsense", "invalid character 'o' in literal null (expecting 'u')"),
        ("{a: 1}", "invalid character 'a' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a": 1 "b"}', "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("[1] 2", "invalid character '2' after top-level value"),
        ('{"a":tru}', "invalid character '}' in literal true (expecting 'e')"),
        ("'x'", "invalid character '\\'' looking for beginning of value"),
        ("?", "invalid character '?' looking for beginning of value"),
    ],
)
def test_syntax_errors(text: str, said: str) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads(text)
    assert go_json_error(caught.value) == said


def test_values_of_another_kind() -> None:
    assert cannot_unmarshal(5, "X") == "json: cannot unmarshal number into X"
    assert cannot_unmarshal({}, "X") == "json: cannot unmarshal object into X"
