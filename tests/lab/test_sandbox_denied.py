import errno
from pathlib import Path

import pytest

from podmatrix.lab.network_check import explain_refusal
from podmatrix.lab.sandbox import explain_denial

DENIED = OSError(errno.EPERM, "unshare(0x10000000): Operation not permitted")


@pytest.fixture(autouse=True)
def ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)


def machine(root: Path, sysctl: str = "", value: str = "") -> Path:
    (root / "proc/sys").mkdir(parents=True)
    if sysctl:
        path = root / "proc/sys" / sysctl.replace(".", "/")
        path.parent.mkdir(parents=True)
        path.write_text(f"{value}\n")
    return root


@pytest.mark.parametrize(
    ("sysctl", "value", "cure"),
    [
        ("user.max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
        ("kernel.unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            "kernel.apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ],
)
def test_the_setting_that_denies_is_named_with_its_cure(
    tmp_path: Path, sysctl: str, value: str, cure: str
) -> None:
    root = machine(tmp_path, sysctl, value)
    assert cure in explain_denial(DENIED, root / "proc", root)


def test_a_container_is_told_to_be_privileged(tmp_path: Path) -> None:
    root = machine(tmp_path)
    (root / ".dockerenv").touch()
    assert "start it with --privileged" in explain_denial(DENIED, root / "proc", root)


def test_what_is_no_denial_is_not_called_one(tmp_path: Path) -> None:
    root = machine(tmp_path)
    other = OSError(errno.ENOTDIR, "mount(x on /y): Not a directory")
    assert explain_denial(other, root / "proc", root) == (
        "the lab's sandbox cannot be put together: mount(x on /y): Not a directory"
    )


def test_an_old_kernel_is_told_what_it_lacks(tmp_path: Path) -> None:
    root = machine(tmp_path)
    too_old = OSError(errno.ENOSYS, "mount_setattr(/): Function not implemented")
    assert "needs Linux 5.12" in explain_denial(too_old, root / "proc", root)


def test_otherwise_root_is_the_cure(tmp_path: Path) -> None:
    root = machine(tmp_path)
    assert "run as root" in explain_denial(DENIED, root / "proc", root)


def test_a_device_that_the_kernel_lacks_is_told_how_to_load() -> None:
    said = "Error: Unknown device type.\nCommand failed -:6\n"
    assert "modprobe -a veth bridge vxlan" in explain_refusal(said)


def test_devices_that_are_denied_are_told_like_namespaces() -> None:
    said = "RTNETLINK answers: Operation not permitted\nCommand failed -:2\n"
    assert "refuses the lab its namespaces" in explain_refusal(said)
