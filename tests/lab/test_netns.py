"""Network namespaces: who enters one changes that one and comes back."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from podmatrix.errors import LabError
from podmatrix.lab import netns
from tests.lab.inside import inside


def scenario() -> dict[str, Any]:
    """Runs inside."""
    one, two = netns.create("one"), netns.create("two")
    key = "net.ipv4.conf.all.rp_filter"
    two.set_sysctl(key, "0")
    one.set_sysctl(key, "2")
    home = netns.adopt("home")
    one.run(["ip", "link", "add", "in-one", "type", "veth", "peer", "name", "other.1"])
    one.set_sysctl("net.ipv4.conf.other/1.rp_filter", "1")
    with ThreadPoolExecutor(16) as pool:
        seen = list(pool.map(_links, [one, two] * 40))
        homes = set(pool.map(lambda _: os.readlink("/proc/thread-self/ns/net"), range(80)))
    answers: dict[str, Any] = {
        "sysctls": [one.get_sysctl(key), two.get_sysctl(key)],
        "dotted": one.get_sysctl("net.ipv4.conf.other/1.rp_filter"),
        "absent": one.get_sysctl("net.ipv4.no_such_key"),
        "one": all("in-one" in links for links in seen[::2]),
        "two": not any("in-one" in links for links in seen[1::2]),
        "homes": sorted(homes),
        "home": os.readlink("/proc/self/ns/net"),
        "adopted": home.run(["readlink", "/proc/self/ns/net"]).strip(),
        "stdin": one.run(["cat"], stdin="hello"),
        "errors": [
            _error(lambda: one.run(["ip", "link", "show", "nothing"])),
            _error(lambda: one.run(["no-such-tool"])),
            _error(lambda: one.set_sysctl("net.ipv4.no_such_key", "1")),
            _error(lambda: netns.create("one")),
        ],
    }
    for namespace in (one, two, one):
        namespace.delete()
    answers["errors"].append(_error(lambda: one.run(["true"])))
    answers["left"] = sorted(path.name for path in netns.DIRECTORY.iterdir())
    return answers


def _links(namespace: netns.NetNS) -> list[str]:
    with namespace.ipr() as ipr:
        return [link.get_attr("IFLA_IFNAME") for link in ipr.get_links()]


def _error(action: Callable[[], object]) -> str:
    try:
        action()
    except LabError as exc:
        return str(exc)
    return "no error"


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    return inside("tests.lab.test_netns:scenario")


def test_sysctls_reach_their_own_namespace(answers: dict[str, Any]) -> None:
    assert answers["sysctls"] == ["2", "0"]


def test_interfaces_with_a_dot_have_sysctls(answers: dict[str, Any]) -> None:
    assert answers["dotted"] == "1"


def test_unknown_sysctl_is_none(answers: dict[str, Any]) -> None:
    assert answers["absent"] is None


def test_threads_do_not_mix_namespaces_up(answers: dict[str, Any]) -> None:
    assert answers["one"]
    assert answers["two"]


def test_threads_come_back(answers: dict[str, Any]) -> None:
    assert answers["homes"] == [answers["home"]]


def test_the_present_namespace_can_be_given_a_name(answers: dict[str, Any]) -> None:
    assert answers["adopted"] == answers["home"]


def test_commands_take_stdin(answers: dict[str, Any]) -> None:
    assert answers["stdin"] == "hello"


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (0, 'ip link show nothing (in one): exit status 1: Device "nothing" does not exist.'),
        (1, "no-such-tool (in one): No such file or directory: install no-such-tool"),
        (2, "sysctl net.ipv4.no_such_key=1 (in one): No such file or directory"),
        (3, "network namespace one: File exists: /run/netns/one"),
    ],
)
def test_errors_say_what_and_where(answers: dict[str, Any], number: int, message: str) -> None:
    assert answers["errors"][number] == message


def test_a_deleted_namespace_is_gone(answers: dict[str, Any]) -> None:
    assert answers["left"] == ["home"]
    assert "network namespace one:" in answers["errors"][4]
