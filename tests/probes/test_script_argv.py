"""What goes into a command line, and what never does."""

import subprocess

import pytest

from podmatrix.errors import ProbeError
from podmatrix.probes.script import COMMAND_LINE_MAX, Group, Sending, script_argv


def group(interface: str | None = None, address: str = "10.2.0.2") -> Group:
    return Group(interface=interface, family=4, own="10.1.0.2", addresses=(address,))


def argv(one: Group) -> tuple[str, ...]:
    return script_argv([one], token="t0", deadline_s=10, sending=Sending())


@pytest.mark.parametrize("address", ["$(reboot)", "10.2.0.2; reboot", "host.example", ""])
def test_only_addresses_get_into_the_script(address: str) -> None:
    with pytest.raises(ProbeError, match="cannot be probed"):
        argv(group(address=address))


@pytest.mark.parametrize("interface", ["net1; reboot", "-c", "$(x)", "net1'"])
def test_only_names_of_interfaces_get_into_the_script(interface: str) -> None:
    with pytest.raises(ProbeError, match="no name of an interface"):
        argv(group(interface=interface))


def test_the_script_is_posix_sh() -> None:
    script = argv(group())[-1]
    subprocess.run(["sh", "-n", "-c", script], check=True)


def test_a_healthy_sweep_of_48_pods_fits_an_ordinary_proxy() -> None:
    addresses = tuple(f"10.244.100.{n}" for n in range(48))
    one = Group(interface=None, family=4, own="10.1.0.2", addresses=addresses)
    assert sum(len(word) for word in argv(one)) < 4096


def test_two_thousand_targets_stay_below_the_limit_of_a_command_line() -> None:
    addresses = [f"10.244.{high}.{low}" for high in range(100, 120) for low in range(100, 200)]
    one = Group(interface=None, family=4, own="10.1.0.2", addresses=tuple(addresses))
    words = script_argv(
        [one], token="t0", deadline_s=10, sending=Sending(), lookups=addresses, layout=True
    )
    assert max(len(word) for word in words) < COMMAND_LINE_MAX
