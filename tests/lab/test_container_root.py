import os
from pathlib import Path

import pytest

from tests.lab.conftest import RunningLab

pytestmark = pytest.mark.xdist_group("lab")
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: one id is mapped without it")
WRITE = "for at in /x /tmp/x /run/x /root/x /home/x /opt/x /etc/x /usr/bin/x; do touch $at; done"
PROGRAMS = "for at in /bin/* /usr/bin/*; do readlink -f $at; done | sort -u"
BUSYBOX = {"image": "docker.io/library/busybox:1.36"}
DROPPED = {
    "securityContext": {
        "runAsUser": 65534,
        "capabilities": {"drop": ["ALL"]},
        "allowPrivilegeEscalation": False,
    }
}


def refusals(said: str) -> list[str]:
    return [line for line in said.splitlines() if "Read-only file system" in line]


@AS_ROOT
def test_a_container_writes_its_own_root(shared_lab: RunningLab, tmp_path: Path) -> None:
    shared_lab.deploy(tmp_path, "writes")
    written = shared_lab.execute(
        "writes", "sh", "-c", f"{WRITE}; echo hi >>/etc/passwd; rm /bin/ls"
    )
    after = shared_lab.execute("writes", "sh", "-c", "tail -n1 /etc/passwd; ls /")
    assert (written.code, written.err) == (0, "")
    assert (after.out, after.code) == ("hi\n", 127)
    assert Path("/bin/ls").exists()


def test_what_an_ordinary_user_writes_is_kept_where_a_copy_can_be_had(
    shared_lab: RunningLab, tmp_path: Path
) -> None:
    shared_lab.deploy(tmp_path, "own")
    places = "touch /x /tmp/x /run/x /root/x /home/x /etc/x && echo hi >>/etc/passwd"
    assert shared_lab.execute("own", "sh", "-c", places).code == 0


def test_what_one_container_writes_no_other_sees(shared_lab: RunningLab, tmp_path: Path) -> None:
    for name in ("one", "two"):
        shared_lab.deploy(tmp_path, name, nodeName="k8s-node")
    shared_lab.execute("one", "touch", "/etc/only-here", "/only-here", "/dev/only-here")
    seen = shared_lab.execute("two", "ls", "/etc/only-here", "/only-here", "/dev/only-here")
    assert (seen.out, seen.code) == ("", 2)


def test_a_read_only_root_refuses_writes(shared_lab: RunningLab, tmp_path: Path) -> None:
    context = {"securityContext": {"readOnlyRootFilesystem": True}}
    mount = {"volumeMounts": [{"name": "own", "mountPath": "/tmp/own"}]}
    own = [{"name": "own", "emptyDir": {}}]
    shared_lab.deploy(tmp_path, "fixed", container={**context, **mount}, volumes=own)
    refused = shared_lab.execute("fixed", "sh", "-c", WRITE)
    hostname = shared_lab.execute("fixed", "touch", "/etc/hostname")
    taken = shared_lab.execute("fixed", "touch", "/etc/hosts", "/dev/shm/x", "/tmp/own/x")
    assert len(refusals(refused.err)) == len(WRITE.split(";")[0].split()) - 3
    assert len(refusals(hostname.err)) == 1
    assert (taken.code, taken.err) == (0, "")


def test_a_working_directory_is_made(shared_lab: RunningLab, tmp_path: Path) -> None:
    shared_lab.deploy(tmp_path, "works", container={"workingDir": "/no/where"})
    assert shared_lab.execute("works", "pwd").out == "/no/where\n"


def test_a_busybox_image_has_nothing_but_busybox(shared_lab: RunningLab, tmp_path: Path) -> None:
    shared_lab.deploy(tmp_path, "small", container=BUSYBOX)
    programs = shared_lab.execute("small", "sh", "-c", PROGRAMS)
    says = shared_lab.execute("small", "sh", "-c", "ip 2>&1; ping 2>&1")
    assert programs.out == "/bin/busybox\n"
    assert "BusyBox" in says.out
    assert "-json" not in says.out


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("bash", "executable file not found in $PATH"),
        ("python3", "executable file not found in $PATH"),
        ("/usr/bin/bash", "stat /usr/bin/bash: no such file or directory"),
        ("/etc/passwd", "permission denied"),
    ],
)
def test_what_busybox_lacks_is_not_found(
    shared_lab: RunningLab, tmp_path: Path, command: str, why: str
) -> None:
    name = "lacks-" + command.replace("/", "-").strip("-")
    shared_lab.deploy(tmp_path, name, container=BUSYBOX)
    said = shared_lab.execute(name, command)
    assert said.code == 1
    assert f'unable to start container process: exec: "{command}": {why}: unknown' in said.err


@AS_ROOT
def test_busyboxs_ping_wants_a_raw_socket(shared_lab: RunningLab, tmp_path: Path) -> None:
    shared_lab.deploy(tmp_path, "unprivileged", container={**BUSYBOX, **DROPPED})
    said = shared_lab.execute("unprivileged", "ping", "-c", "1", "127.0.0.1")
    assert (said.code, "permission denied (are you root?)" in said.err) == (1, True)


@pytest.mark.parametrize("image", [{}, BUSYBOX], ids=["host", "busybox"])
@AS_ROOT
def test_privileges_of_an_exec_are_those_of_the_container(
    shared_lab: RunningLab, tmp_path: Path, image: dict[str, object]
) -> None:
    name = f"reduced-{len(image)}"
    shared_lab.deploy(tmp_path, name, container={**image, **DROPPED})
    wanted = "^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs):"
    command = ("grep", "-hE", wanted, "/proc/1/status", "/proc/self/status")
    lines = [line.split() for line in shared_lab.execute(name, *command).out.splitlines()]
    first, own = lines[: len(lines) // 2], lines[len(lines) // 2 :]
    nobody = ["65534"] * 4
    assert first == own
    assert first[:3] == [["Uid:", *nobody], ["Gid:", *nobody], ["Groups:", "65534"]]
    assert {value for _, value in first[3:8]} == {"0" * 16}
    assert first[8] == ["NoNewPrivs:", "1"]


def test_a_busybox_image_ends_its_shell_at_once(shared_lab: RunningLab, tmp_path: Path) -> None:
    plain = {"image": "busybox", "command": []}
    shared_lab.deploy(tmp_path, "ends", container=plain, wait=False, restartPolicy="Never")
    ended = shared_lab.kubectl(
        "wait", "pod/ends", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=20s"
    )
    assert ended.code == 0, ended.err
