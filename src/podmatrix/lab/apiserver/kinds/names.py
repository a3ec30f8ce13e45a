"""Rules for names, labels and annotations: k8s.io/apimachinery/pkg/util/validation."""

import re
from collections.abc import Iterator

from podmatrix.lab.apiserver.objects import Object
from podmatrix.lab.apiserver.status import Cause, required, wrong

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"

_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    f"for validation is '{_LABEL}')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    rf"for validation is '{_SUBDOMAIN}')"
)
_QUALIFIED_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    f"validation is '{_QUALIFIED}')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
    f"or '12345', regex used for validation is '{_VALUE}')"
)


def dns_label(text: str) -> str:
    """What is wrong with it as an RFC 1123 label (namespaces, containers); "" if nothing is."""
    if "." in text:
        return "must not contain dots"
    if len(text) > 63:
        return "must be no more than 63 characters"
    return "" if re.fullmatch(_LABEL, text) else _LABEL_RULE


def dns_subdomain(text: str) -> str:
    """What is wrong with it as an RFC 1123 subdomain (most names); "" if nothing is."""
    if len(text) > 253:
        return "must be no more than 253 characters"
    return "" if re.fullmatch(_SUBDOMAIN, text) else _SUBDOMAIN_RULE


def qualified_name(text: str) -> str:
    """What is wrong with it as a key of labels and annotations; "" if nothing is."""
    prefix, slash, name = text.rpartition("/")
    if slash and not prefix:
        return "prefix part must be non-empty"
    if slash and (trouble := dns_subdomain(prefix)):
        return f"prefix part {trouble}"
    if len(name) > 63:
        return "name part must be no more than 63 characters"
    return "" if re.fullmatch(_QUALIFIED, name) else _QUALIFIED_RULE


def label_value(text: str) -> str:
    """What is wrong with it as the value of a label; "" if nothing is."""
    if len(text) > 63:
        return "must be no more than 63 characters"
    return "" if re.fullmatch(_VALUE, text) else _VALUE_RULE


def metadata_causes(obj: Object, *, name_is_label: bool = False) -> Iterator[Cause]:
    """What is wrong with the metadata of a new object."""
    metadata = obj.get("metadata", {})
    name = metadata.get("name")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif trouble := (dns_label if name_is_label else dns_subdomain)(name):
        yield wrong("metadata.name", name, trouble)
    for key, value in (metadata.get("labels") or {}).items():
        if trouble := qualified_name(key):
            yield wrong("metadata.labels", key, trouble)
        if trouble := label_value(value):
            yield wrong("metadata.labels", value, trouble)
    for key in metadata.get("annotations") or {}:
        if trouble := qualified_name(key.lower()):
            yield wrong("metadata.annotations", key, trouble)
