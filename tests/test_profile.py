import re
from ipaddress import ip_network
from pathlib import Path

import pytest

from podmatrix.errors import ProfileError
from podmatrix.model import Expect, Mode, PodRole
from podmatrix.profile import BUILT_IN, load_profile, parse_profile

OWNER = (BUILT_IN / "owner.yaml").read_text(encoding="utf-8")


def changed(old: str, new: str) -> str:
    assert old in OWNER
    return OWNER.replace(old, new, 1)


def test_owner_declares_both_networks_as_their_owner_has_them() -> None:
    networks = load_profile("owner").networks
    assert (networks["calico"].cidr, networks["calico"].mtu) == (
        (ip_network("10.200.0.0/16"),),
        1480,
    )
    assert (networks["flannel"].cidr, networks["flannel"].mtu) == (
        (ip_network("10.244.0.0/16"),),
        1450,
    )


def test_full_mesh_differs_from_owner_only_in_what_it_leaves_to_the_cluster() -> None:
    owner, mesh = load_profile("owner"), load_profile("full-mesh")
    assert (mesh.pods, mesh.rules, mesh.default) == (owner.pods, owner.rules, owner.default)
    assert [n.attach for n in mesh.networks.values()] == [n.attach for n in owner.networks.values()]
    assert all(not n.cidr and n.mtu is None and n.vtep is None for n in mesh.networks.values())


def test_the_cni_of_the_default_network_is_left_to_the_cluster_in_full_mesh() -> None:
    networks = load_profile("full-mesh").networks
    assert (networks["calico"].cni, networks["flannel"].cni) == (None, "flannel")


def test_a_profile_is_loaded_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(OWNER, encoding="utf-8")
    assert load_profile(str(path)).source == str(path)


def test_a_plain_attach_stands_for_both_roles() -> None:
    attach = load_profile("owner").networks["flannel"].attach
    assert (attach.default, attach.secondary) == ("default/flannel-conf", "default/flannel-conf")


def test_an_attach_can_differ_by_role() -> None:
    text = changed(
        "attach: default/flannel-conf",
        "attach: {default: default/flannel-conf, secondary: default/flannel-second}",
    )
    attach = parse_profile(text, source="x").networks["flannel"].attach
    assert (attach.default, attach.secondary) == ("default/flannel-conf", "default/flannel-second")


def test_roles_come_by_kind_in_the_order_of_the_file_then_by_slot() -> None:
    roles = load_profile("owner").roles(("a", "b"))
    assert [role.id for role in roles] == [
        *("calico-a", "calico-b", "flannel-a", "flannel-b"),
        *("dual-a", "dual-b", "host-a", "host-b"),
    ]


def test_a_role_knows_its_interfaces_in_order() -> None:
    roles = {role.id: role for role in load_profile("owner").roles(("a",))}
    assert roles["dual-a"].interfaces == (("eth0", "calico"), ("net1", "flannel"))
    assert roles["host-a"] == PodRole(kind="host", slot="a", host_network=True)


def test_a_plain_name_in_a_rule_is_a_network_first() -> None:
    rule = load_profile("owner").rules[0]
    assert (rule.to.network, rule.to.kind) == ("calico", None)


def test_a_plain_name_in_a_rule_is_else_a_pod_kind() -> None:
    rule = parse_profile(changed("to: calico", "to: host"), source="x").rules[0]
    assert (rule.to.network, rule.to.kind) == (None, "host")


def test_a_rule_keeps_all_it_was_written_with() -> None:
    rule = load_profile("owner").rules[0]
    assert (rule.from_.kind, rule.from_.interface, rule.from_.mode) == ("dual", "net1", Mode.BOUND)
    assert (rule.expect, rule.reason) == (
        Expect.OBSERVE,
        "Calico drops sources it did not assign",
    )


def test_a_second_cidr_of_the_other_family_makes_a_network_dual_stack() -> None:
    text = changed("[10.200.0.0/16]", '[10.200.0.0/16, "fd00:10:200::/56"]')
    assert parse_profile(text, source="x").networks["calico"].families == (4, 6)


@pytest.mark.parametrize(
    ("old", "new", "path", "what"),
    [
        ("mtu: 1480", "mtuu: 1480", "networks.calico.mtuu", "unknown key"),
        ("default: required", "defaults: required", "reachability.default", "missing"),
        ("to: calico", "to: {networ: calico}", "reachability.rules.0.to.networ", "unknown key"),
        ("10.200.0.0/16", "10.200.0.1/16", "networks.calico.cidr.0", "host bits"),
        ("10.200.0.0/16", "10.200.0.0/33", "networks.calico.cidr.0", "bad CIDR"),
        ("10.200.0.0/16", "10.200.0.0", "networks.calico.cidr.0", "no CIDR"),
        ("[10.244.0.0/16]", "[10.200.4.0/24]", "networks.flannel.cidr", "overlaps 10.200.0.0/16"),
        ("mtu: 1480", "mtu: 575", "networks.calico.mtu", "576"),
        ("mtu: 1480", "mtu: '1480'", "networks.calico.mtu", "integer"),
        ("net1: flannel", "net1: flanel", "pods.dual.net1", "unknown network 'flanel'"),
        ("to: calico", "to: calic", "reachability.rules.0.to", "neither a network nor a pod kind"),
        ("to: calico", "to: {network: x}", "reachability.rules.0.to", "unknown network 'x'"),
        ("kind: dual", "kind: dua", "reachability.rules.0.from", "unknown pod kind 'dua'"),
        ("interface: net1", "interface: net2", "reachability.rules.0.from", "no such interface"),
        ("mode: bound", "mode: natural", "reachability.rules.0.from", "mode: bound"),
        ("net1: flannel", "net1234567890123: flannel", "pods.dual", "16 characters"),
        ("net1: flannel", "'': flannel", "pods.dual", "no interface name"),
        ("eth0: calico, net1", "net1: calico, eth0", "pods.dual.net1", "always eth0"),
        ("hostNetwork: true", "hostNetwork: false", "pods.host", "hostNetwork: true"),
        ("{eth0: flannel}", "{}", "pods.flannel", "no interface"),
        ("attach: default/", "attach: ", "networks.flannel.attach", "namespace/name"),
        ("nic: ens33", "nic: /(/", "networks.flannel.vtep.nic", "no pattern"),
        ("kind: Profile", "kind: Pod", "kind", "'Profile'"),
        ("/v1alpha1", "/v1", "apiVersion", "podmatrix.io/v1alpha1"),
        ("expect: observe", "expect: never", "reachability.rules.0.expect", "'forbidden'"),
        ("name: owner", "name: My_Profile", "metadata.name", "lower case"),
    ],
)
def test_an_error_names_file_place_and_cure(old: str, new: str, path: str, what: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(what)) as error:
        parse_profile(changed(old, new), source="mine.yaml")
    assert str(error.value).startswith(f"mine.yaml: {path}")
    assert ";" in str(error.value)


def test_the_default_network_cannot_be_added_to_a_pod() -> None:
    text = changed("{eth0: calico, net1: flannel}", "{eth0: flannel, net1: calico}")
    with pytest.raises(ProfileError, match=r"pods.dual.net1: .*only be a pod's first interface"):
        parse_profile(text, source="x")


def test_a_profile_without_pods_is_refused() -> None:
    text = re.sub(r"pods:\n(  .*\n)+", "pods: {}\n", OWNER)
    with pytest.raises(ProfileError, match="pods: no pods"):
        parse_profile(text, source="x")


def test_a_key_written_twice_is_refused() -> None:
    with pytest.raises(ProfileError, match=r"key 'calico' is written twice.*line 19"):
        parse_profile(
            changed("  flannel: {eth0: flannel}", "  calico: {eth0: flannel}"), source="x"
        )


def test_every_problem_is_told_at_once() -> None:
    text = changed("net1: flannel", "net1: flanel").replace("to: calico", "to: calic")
    with pytest.raises(ProfileError, match=r"(?s)pods.dual.net1.*rules.0.to"):
        parse_profile(text, source="x")


def test_an_attach_that_is_wrong_is_told_once() -> None:
    with pytest.raises(ProfileError) as error:
        parse_profile(changed("attach: default/", "attach: "), source="x")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["", "[]", "just words"])
def test_a_document_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(ProfileError, match="holds no profile"):
        parse_profile(text, source="x")


def test_what_is_not_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(ProfileError, match=r"x: not YAML.*line 2"):
        parse_profile("a: b\n c: [", source="x")


def test_an_unknown_name_lists_those_that_are_known() -> None:
    with pytest.raises(ProfileError, match=r"'fullmesh' is unknown.*full-mesh, isolated"):
        load_profile("fullmesh")


def test_a_path_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"missing.yaml: no such file"):
        load_profile(str(tmp_path / "missing.yaml"))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile(str(path))
