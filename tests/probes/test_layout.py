"""What `ip` printed inside pods, word for word."""

from pathlib import Path

import pytest

from podmatrix.errors import ProbeError
from podmatrix.model import Address, Interface
from podmatrix.probes.layout import (
    Route,
    default_routes,
    parse_interfaces,
    parse_ip_json,
    parse_ip_text,
    parse_lookups,
)

DATA = Path(__file__).parent / "data" / "addr"


def text(name: str) -> str:
    return (DATA / name).read_text()


def v4(interfaces: tuple[Interface, ...]) -> dict[str, list[Address]]:
    return {i.name: [a for a in i.addresses if a.family == 4] for i in interfaces}


@pytest.mark.parametrize("name", ["dual", "calico"])
def test_json_and_text_say_the_same(name: str) -> None:
    assert parse_ip_json(text(f"{name}.json")) == parse_ip_text(text(f"{name}.txt"))


def test_names_are_those_inside_the_pod() -> None:
    interfaces = parse_ip_text(text("dual.txt"))
    assert [(i.name, i.mtu, i.up) for i in interfaces] == [
        ("lo", 65536, True),
        ("eth0", 1480, True),
        ("net1", 1450, True),
    ]


def test_addresses_and_macs_are_read() -> None:
    net1 = parse_ip_json(text("dual.json"))[2]
    assert net1.mac == "12:ab:f5:3e:34:b0"
    assert net1.addresses[0] == Address(family=4, address="10.244.0.5", prefix_length=24)


def test_the_fallback_device_tunl0_is_down_and_without_address() -> None:
    tunl0 = parse_ip_text(text("owner-tunl0.txt"))[1]
    assert tunl0 == Interface(name="tunl0", mtu=1480, up=False)


def test_busybox_prints_no_group_and_no_state() -> None:
    interfaces = parse_ip_text(text("busybox.txt"))
    assert v4(interfaces)["net1"] == [Address(family=4, address="10.3.0.2", prefix_length=24)]
    assert [i.name for i in interfaces if not i.up] == ["eth1"]


def test_a_peer_address_is_not_taken_for_the_own_one() -> None:
    line = "3: p0: <UP> mtu 1400 qdisc noop\n    inet 10.0.0.1 peer 10.0.0.2/32 scope global p0\n"
    assert v4(parse_ip_text(line))["p0"] == [
        Address(family=4, address="10.0.0.1", prefix_length=32)
    ]


@pytest.mark.parametrize(
    "printed",
    ["", "/bin/sh: ip: not found", "[{]", '[{"ifname": "eth0"}]', '{"ifname": "eth0"}', "[1]"],
)
def test_anything_else_is_an_error(printed: str) -> None:
    with pytest.raises(ProbeError):
        parse_interfaces(printed.splitlines())


def test_all_default_routes_are_told_in_order() -> None:
    assert default_routes(text("two-default-routes.txt").splitlines()) == (
        "default via 10.244.0.1 dev net1",
        "default via 169.254.1.1 dev eth0",
    )


def test_a_lookup_tells_interface_and_source() -> None:
    lines = [
        "10.2.0.5 via 10.1.0.1 dev eth0 src 10.1.0.2 uid 0 \\    cache ",
        "local 10.1.0.2 dev lo src 10.1.0.2 uid 0 \\    cache <local> ",
        "fd00::2 from :: via fe80::1 dev net1 proto static src fd00::1 metric 1024 pref medium",
    ]
    assert parse_lookups(lines) == {
        "10.2.0.5": Route(interface="eth0", source="10.1.0.2"),
        "10.1.0.2": Route(interface="lo", source="10.1.0.2"),
        "fd00::2": Route(interface="net1", source="fd00::1"),
    }


def test_a_lookup_that_is_none_is_an_error() -> None:
    with pytest.raises(ProbeError):
        parse_lookups(["RTNETLINK answers: Network is unreachable"])
