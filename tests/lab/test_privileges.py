import pytest

from podmatrix.errors import LabError
from podmatrix.lab.image import Image, User, repository
from podmatrix.lab.privileges import (
    DEFAULT_CAPABILITIES,
    Privileges,
    capabilities,
    privileges_of,
    setpriv_argv,
)
from podmatrix.lab.runtime import ContainerConfig

ALL_IDS = 65536
IMAGE = Image(directories={}, users={65534: User(group=65534, home="/nonexistent")})


def container(
    *,
    add: tuple[str, ...] = (),
    drop: tuple[str, ...] = (),
    privileged: bool = False,
    user: int | None = None,
    group: int | None = None,
    groups: tuple[int, ...] = (),
) -> ContainerConfig:
    return ContainerConfig(
        name="main",
        image="tools:1",
        argv=("sleep",),
        add_capabilities=add,
        drop_capabilities=drop,
        privileged=privileged,
        run_as_user=user,
        run_as_group=group,
        supplemental_groups=groups,
    )


def reduced(config: ContainerConfig, mapped: int = ALL_IDS) -> Privileges:
    return privileges_of(config, IMAGE, mapped=mapped)


@pytest.mark.parametrize(
    ("config", "changes"),
    [
        (container(), set()),
        (container(add=("NET_ADMIN",)), {"net_admin"}),
        (container(add=("FLYING",)), set()),
        (container(drop=("NET_RAW",)), {"net_raw"}),
        (container(drop=("CAP_NET_RAW",)), {"net_raw"}),
        (container(drop=("ALL",)), DEFAULT_CAPABILITIES),
        (container(drop=("ALL",), add=("NET_RAW",)), DEFAULT_CAPABILITIES - {"net_raw"}),
    ],
)
def test_add_and_drop_change_the_runtimes_default(
    config: ContainerConfig, changes: set[str]
) -> None:
    assert capabilities(config) ^ DEFAULT_CAPABILITIES == changes


def test_add_all_but_one() -> None:
    kept = capabilities(container(add=("ALL",), drop=("SYS_ADMIN",)))
    assert "net_admin" in kept
    assert "sys_admin" not in kept


def test_a_privileged_container_drops_no_capability() -> None:
    assert reduced(container(privileged=True)).dropped == ()


def test_without_capabilities_none_are_named() -> None:
    argv = setpriv_argv(reduced(container(drop=("ALL",))))
    assert argv[:5] == ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")


@pytest.mark.parametrize(
    ("config", "ids"),
    [
        (container(), ("0", "0", "0")),
        (container(user=1000), ("1000", "0", "0")),
        (container(user=65534), ("65534", "65534", "65534")),
        (container(user=65534, group=7), ("65534", "7", "7")),
        (container(group=3000), ("0", "3000", "3000")),
        (container(user=1000, group=3000, groups=(2000, 4000)), ("1000", "3000", "3000,2000,4000")),
    ],
)
def test_users_and_groups_are_switched_to(
    config: ContainerConfig, ids: tuple[str, str, str]
) -> None:
    argv = setpriv_argv(reduced(config))
    assert (argv[6], argv[8], argv[10]) == ids


@pytest.mark.parametrize(
    ("config", "mapped", "says"),
    [
        (container(user=1000), 1, "runAsUser 1000 .* start the lab as root"),
        (container(group=70000), ALL_IDS, "runAsGroup 70000 does not exist"),
        (container(groups=(70000,)), ALL_IDS, "supplementalGroups 70000 does not exist"),
    ],
)
def test_an_id_that_is_not_mapped_is_refused(
    config: ContainerConfig, mapped: int, says: str
) -> None:
    with pytest.raises(LabError, match=says):
        reduced(config, mapped)


def test_where_one_id_is_mapped_none_is_switched_to() -> None:
    assert setpriv_argv(reduced(container(user=0, privileged=True), mapped=1)) == ()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("busybox", "busybox"),
        ("docker.io/library/busybox:1.36", "busybox"),
        ("localhost:5000/busybox@sha256:0", "busybox"),
        ("registry.example:5000/team/tool", "tool"),
        ("busybox/tool", "tool"),
    ],
)
def test_an_image_is_known_by_its_last_part(name: str, part: str) -> None:
    assert repository(name) == part
