"""Multus' annotations, without any network."""

import pytest

from podmatrix.lab.cni.selection import NetworkSelection, SelectionError, parse_selections


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("flannel", NetworkSelection(name="flannel", namespace="web")),
        ("ops/flannel", NetworkSelection(name="flannel", namespace="ops")),
        (
            " ops/flannel@mgmt0 ",
            NetworkSelection(name="flannel", namespace="ops", interface="mgmt0"),
        ),
        ('[{"name": "flannel"}]', NetworkSelection(name="flannel", namespace="web")),
        (
            '[{"name": "flannel", "interface": "mgmt0", "ips": ["10.244.0.9"]}]',
            NetworkSelection(
                name="flannel", namespace="web", interface="mgmt0", ips=("10.244.0.9",)
            ),
        ),
        (
            '[{"name": "flannel", "default-route": []}]',
            NetworkSelection(name="flannel", namespace="web", default_route=()),
        ),
    ],
)
def test_one_network(annotation: str, expected: NetworkSelection) -> None:
    assert parse_selections(annotation, "web") == [expected]


def test_several_networks_keep_their_order() -> None:
    names = [selection.name for selection in parse_selections("b,a, c", "web")]
    assert names == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ("a/b/c", "Invalid network object \\(failed at '/'\\)"),
        ("a@b@c", "Invalid network object \\(failed at '@'\\)"),
        ("UPPER", "mismatch @ 'UPPER'"),
        ("-a", "mismatch @ '-a'"),
        ("a@sixteen-letters-", "Failed to parse interface name: must be less than 15 chars"),
        ("[", "failed to parse pod Network Attachment Selection Annotation JSON format"),
        ('{"name": "a"}', "failed to parse pod Network Attachment Selection Annotation JSON"),
        ('[{"name": "a", "mac": "xx"}]', "failed to mac: address xx: invalid MAC address"),
        ('[{"name": "a", "ips": ["10.0.0.0.1"]}]', 'failed to parse IP address "10.0.0.0.1"'),
        ('[{"name": "a", "ips": ["10.0.0.1/99"]}]', 'failed to parse CIDR "10.0.0.1/99"'),
        ("", 'pod annotation does not have "network" as key'),
    ],
)
def test_what_cannot_be_read_is_refused_in_multus_words(annotation: str, message: str) -> None:
    with pytest.raises(SelectionError, match=message):
        parse_selections(annotation, "web")
