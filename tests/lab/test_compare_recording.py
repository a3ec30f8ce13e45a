"""A lab of the recorded shape is the recorded cluster, but for what is known and told."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.lab.compare_recording import TOPOLOGY, compare, read_recording
from tests.lab.conftest import running_lab
from tests.lab.machine import run
from tests.lab.recorded_differences import KNOWN

RECORDING = Path(__file__).parent / "dataplane/data/healthy"
DOCS = Path(__file__).parents[2] / "docs/lab.md"
FDB = "nodes/node1/bridge-fdb.json"


@pytest.fixture(scope="module")
def said(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines that the script ends with."""
    for tool in ("kubectl", "ipset", "sysctl"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    directory = tmp_path_factory.mktemp("lab")
    topology = directory / "recorded.yaml"
    topology.write_text(TOPOLOGY)
    with running_lab(directory, "--topology", topology) as lab:
        argv = (sys.executable, "-m", "tests.lab.compare_recording", "--kubeconfig")
        compared = run(*argv, lab.kubeconfig, RECORDING)
    assert compared.code == 0, compared.out + compared.err
    return compared.out.splitlines()


def test_every_field_is_the_recorded_one_but_for_known_differences(said: list[str]) -> None:
    count, what, *_ = said[0].split()
    assert (int(count) > 4000, what) == (True, "fields,")
    assert said[0].endswith(" 0 without a known reason")


def test_no_difference_is_known_that_is_gone(said: list[str]) -> None:
    assert {line.strip().partition(" ")[2] for line in said[1:]} == set(KNOWN.values())


def test_known_differences_are_told_in_the_docs() -> None:
    docs = " ".join(DOCS.read_text().split())
    assert [reason for reason in KNOWN.values() if reason not in docs] == []


def test_a_recording_is_the_same_as_itself() -> None:
    recording = read_recording(RECORDING)
    assert compare(recording, recording) == []


@pytest.mark.parametrize(
    ("path", "old", "new", "field"),
    [
        (FDB, "192.168.31.129", "192.168.31.130", "192.168.31.129"),
        ("nodes/node1/ip-link.json", '"mtu":1450', '"mtu":1500', ".mtu"),
        ("nodes/node1/sysctl.txt", "eth0.rp_filter = 1", "eth0.rp_filter = 2", "eth0.rp_filter"),
        ("nodes/node2/iptables-save.txt", "-j cali-FORWARD", "-j cali-INPUT", "filter FORWARD"),
        ("nodes/node1/ipset.txt", "192.168.31.129", "192.168.31.130", "cali40all-vxlan-net"),
        ("pods/dual-node1/ip-route.json", "10.244.0.1", "10.244.0.9", ".gateway"),
        ("api/nodes.json", "192.168.31.128/24", "192.168.31.128/16", "IPv4Address"),
    ],
)
def test_what_is_changed_by_hand_is_found(path: str, old: str, new: str, field: str) -> None:
    recording = read_recording(RECORDING)
    assert old in recording[path]
    damaged = {**recording, path: recording[path].replace(old, new)}
    found = [one for one in compare(damaged, recording) if not one.reason]
    assert any(one.field.startswith(path) and field in one.field for one in found)


def test_an_entry_for_the_wrong_device_is_found() -> None:
    recording = read_recording(RECORDING)
    text = recording[FDB]
    (theirs,) = {
        part[:17]
        for part in text.split('"mac":"')
        if '"dst":"192.168.31.129"' in part and '"ifname":"flannel.1"' in part
    }
    damaged = {**recording, FDB: text.replace(theirs, "02:00:00:00:00:01")}
    assert any(one.field.startswith(FDB) for one in compare(damaged, recording))
