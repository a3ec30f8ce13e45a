"""Pods come in parallel and go; what they had is given back."""

from typing import Any

import pytest

from tests.lab.inside import inside

NOTHING = {"links": [], "routes": "", "files": [], "calico": [], "chains": 0, "states": []}


@pytest.fixture(scope="module")
def life() -> dict[str, Any]:
    return inside("tests.lab.cni.scenarios:life")


def test_pods_added_in_parallel_get_different_addresses(life: dict[str, Any]) -> None:
    assert len(set(life["addresses"])) == len(life["addresses"]) == 16


def test_every_pod_has_its_links(life: dict[str, Any]) -> None:
    prefixes = sorted(name[:4] for name in life["during"]["links"])
    assert prefixes == ["cali"] * 8 + ["veth"] * 8


def test_felix_has_chains_for_pods_of_either_network(life: dict[str, Any]) -> None:
    assert life["during"]["chains"] == 12


@pytest.mark.parametrize("when", ["after", "namespace_gone_first"])
def test_nothing_is_left_of_deleted_pods(life: dict[str, Any], when: str) -> None:
    assert life[when] == life["before"] == NOTHING
