"""Where the output of containers is kept: the places a real kubelet would use."""

from pathlib import Path

from podmatrix.lab.apiserver.objects import Object, name_of, namespace_of, uid_of


def pod_log_dir(log_dir: str, pod: Object) -> Path:
    """The folder of a pod: NAMESPACE_NAME_UID."""
    return Path(log_dir) / f"{namespace_of(pod)}_{name_of(pod)}_{uid_of(pod)}"


def log_file(log_dir: str, pod: Object, container: str, restarts: int) -> Path:
    """The file of a container's n-th run."""
    return pod_log_dir(log_dir, pod) / container / f"{restarts}.log"
