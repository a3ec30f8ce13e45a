"""Whether what a pod printed is believed."""

import pytest

from podmatrix.errors import ProbeError
from podmatrix.model import Completed, Outcome
from podmatrix.probes.icmp import read_output
from podmatrix.probes.script import Group, Sending

GROUP = Group(interface=None, family=4, own="10.1.0.2", addresses=("10.2.0.2",))
HEALTHY = """\
@t0 g 0 1 t fping -C 3
@t0 g 0 1 n 192.0.2.1 : -
@t0 g 0 1 p 127.0.0.1 : 0.1 0.1 0.1
@t0 g 0 1 p 10.1.0.2 : 0.1 0.1 0.1
@t0 g 0 1 p 10.2.0.2 : 0.1 0.1 0.1
@t0 g 0 end 0
@t0 end 0
"""


def outcome(stdout: str) -> Outcome:
    completed = Completed(argv=(), returncode=0, stdout=stdout, stderr="")
    output = read_output(completed, [GROUP], token="t0", sending=Sending())
    return output.groups[0].replies["10.2.0.2"].outcome


def test_a_calibrated_tool_is_believed() -> None:
    assert outcome(HEALTHY) is Outcome.REACHABLE


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        pytest.param("127.0.0.1 : 0.1 0.1 0.1", "127.0.0.1 : - - -", id="deaf"),
        pytest.param("10.1.0.2 : 0.1 0.1 0.1", "10.1.0.2 : 0.1 - 0.1", id="loses an own packet"),
        pytest.param("192.0.2.1 : -", "192.0.2.1 : 0.1", id="sees what is not there"),
        pytest.param("@t0 g 0 1 n 192.0.2.1 : -\n", "", id="silence not tried"),
        pytest.param("@t0 g 0 1 p 10.1.0.2 : 0.1 0.1 0.1\n", "", id="own address not tried"),
        pytest.param("g 0 end 0", "g 0 end 1", id="the pod itself did not believe it"),
        pytest.param("@t0 g 0 end 0\n", "", id="group without its end"),
        pytest.param("10.2.0.2 : 0.1 0.1 0.1", "10.2.0.2 : 0.1 0.1", id="a packet untold"),
    ],
)
def test_without_calibration_nothing_is_believed(written: str, instead: str) -> None:
    assert written in HEALTHY
    assert outcome(HEALTHY.replace(written, instead)) is Outcome.NOT_RUN


@pytest.mark.parametrize(
    "stdout",
    [
        pytest.param("", id="nothing"),
        pytest.param(HEALTHY.replace("@t0 end 0\n", ""), id="no end marker"),
        pytest.param(HEALTHY.replace("@t0 end 0", "@t0 end 1"), id="ended badly"),
        pytest.param(HEALTHY.replace("@t0", "@t1"), id="answer of another run"),
        pytest.param(HEALTHY.replace("g 0 1 t fping -C 3", "g"), id="torn line"),
    ],
)
def test_output_that_is_not_whole_is_an_error(stdout: str) -> None:
    with pytest.raises(ProbeError):
        outcome(stdout)


def test_the_error_tells_the_last_words() -> None:
    completed = Completed(argv=(), returncode=None, stdout="", stderr="sh: out of memory")
    with pytest.raises(ProbeError, match=r"status never came.*sh: out of memory"):
        read_output(completed, [GROUP], token="t0", sending=Sending())
