import pytest

from podmatrix.errors import LabError
from podmatrix.lab.privileges import DEFAULT_CAPABILITIES, capabilities, privileges_argv
from podmatrix.lab.runtime import ContainerConfig

ALL_IDS = 65536


def container(
    *,
    add: tuple[str, ...] = (),
    drop: tuple[str, ...] = (),
    privileged: bool = False,
    user: int | None = None,
) -> ContainerConfig:
    return ContainerConfig(
        name="main",
        argv=("sleep",),
        add_capabilities=add,
        drop_capabilities=drop,
        privileged=privileged,
        run_as_user=user,
    )


@pytest.mark.parametrize(
    ("config", "changes"),
    [
        (container(), set()),
        (container(add=("NET_ADMIN",)), {"net_admin"}),
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


def test_an_unknown_capability_is_refused() -> None:
    with pytest.raises(LabError, match='unknown capability "CAP_FLYING"'):
        capabilities(container(add=("flying",)))


def test_a_privileged_container_keeps_everything() -> None:
    assert privileges_argv(container(privileged=True), mapped_ids=ALL_IDS) == ()


def test_without_capabilities_none_are_named() -> None:
    argv = privileges_argv(container(drop=("ALL",)), mapped_ids=ALL_IDS)
    assert argv == ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--")


def test_a_user_is_switched_to() -> None:
    argv = privileges_argv(container(privileged=True, user=1000), mapped_ids=ALL_IDS)
    assert argv == ("setpriv", "--reuid", "1000", "--regid", "0", "--clear-groups", "--")


def test_a_user_that_is_not_mapped_is_refused() -> None:
    with pytest.raises(LabError, match=r"runAsUser 1000 .* start the lab as root"):
        privileges_argv(container(user=1000), mapped_ids=1)


def test_user_0_is_always_there() -> None:
    assert "--reuid" not in privileges_argv(container(user=0), mapped_ids=1)
