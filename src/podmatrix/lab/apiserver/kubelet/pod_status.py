"""The status a kubelet reports of a pod: pure functions of what its containers do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from podmatrix.lab.apiserver.objects import Object, timestamp

START_ERROR = 128
"""The exit code reported for a container whose command could not be started."""


class Step(StrEnum):
    """How far a container has come."""

    WAITING = "waiting"
    RUNNING = "running"
    TERMINATED = "terminated"


@dataclass(slots=True, kw_only=True)
class ContainerState:
    """One container as its kubelet knows it. `reason` and `message` say why it waits."""

    name: str
    image: str
    step: Step = Step.WAITING
    reason: str = "ContainerCreating"
    message: str = ""
    container_id: str = ""
    started_at: str = ""
    terminated: Object = field(default_factory=dict)
    last_terminated: Object = field(default_factory=dict)
    restarts: int = 0

    def wait(self, reason: str, message: str = "") -> None:
        """It waits to be started, again after an end it then remembers."""
        self._remember()
        self.step, self.reason, self.message = Step.WAITING, reason, message

    def run(self, container_id: str) -> None:
        """It has been started."""
        self._remember()
        self.step, self.container_id, self.started_at = Step.RUNNING, container_id, timestamp()

    def end(self, exit_code: int, *, reason: str = "", message: str = "") -> None:
        """It has ended, or its command could not be started."""
        self.step = Step.TERMINATED
        self.terminated = {
            "containerID": f"containerd://{self.container_id}" if self.container_id else None,
            "exitCode": exit_code,
            "reason": reason or ("Completed" if exit_code == 0 else "Error"),
            "message": message or None,
            "startedAt": self.started_at or "1970-01-01T00:00:00Z",
            "finishedAt": timestamp(),
        }
        self.terminated = {key: one for key, one in self.terminated.items() if one is not None}

    def _remember(self) -> None:
        if self.terminated:
            self.last_terminated, self.terminated = self.terminated, {}

    def report(self) -> Object:
        """The element of containerStatuses."""
        running = self.step is Step.RUNNING
        status: Object = {
            "name": self.name,
            "image": self.image,
            "imageID": "",
            "ready": running,
            "started": running,
            "restartCount": self.restarts,
            "state": {self.step.value: self._state()},
            "lastState": {"terminated": self.last_terminated} if self.last_terminated else {},
        }
        if self.container_id:
            status |= {"containerID": f"containerd://{self.container_id}", "resources": {}}
        return status

    def _state(self) -> Object:
        if self.step is Step.RUNNING:
            return {"startedAt": self.started_at}
        if self.step is Step.TERMINATED:
            return self.terminated
        waiting = {"reason": self.reason, "message": self.message}
        return {key: value for key, value in waiting.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class PodReport:
    """All that the status of a pod is made of."""

    host_ip: str
    start_time: str
    ips: Sequence[str] = ()
    sandbox_ready: bool = False
    initialized: bool = True
    init_containers: Sequence[ContainerState] = ()
    containers: Sequence[ContainerState] = ()


def phase_of(report: PodReport, restart_policy: str) -> str:
    """getPhase of kubernetes/pkg/kubelet/kubelet_pods.go."""
    failed = (one for one in report.init_containers if one.step is Step.TERMINATED)
    if restart_policy == "Never" and any(one.terminated["exitCode"] for one in failed):
        return "Failed"
    if not report.initialized:
        return "Pending"
    states = report.containers
    if any(one.step is Step.WAITING and not one.last_terminated for one in states):
        return "Pending"
    ended = [one for one in states if one.step is Step.TERMINATED]
    if len(ended) < len(states) or restart_policy == "Always":
        return "Running"
    if all(one.terminated["exitCode"] == 0 for one in ended):
        return "Succeeded"
    return "Failed" if restart_policy == "Never" else "Running"


def pod_status(pod: Object, report: PodReport) -> Object:
    """The new status of a pod; times of conditions that did not change are kept."""
    old, generation = pod.get("status", {}), pod["metadata"].get("generation", 1)
    phase = phase_of(report, pod["spec"]["restartPolicy"])
    status: Object = {
        "phase": phase,
        "qosClass": old.get("qosClass", "BestEffort"),
        "observedGeneration": generation,
        "hostIP": report.host_ip,
        "hostIPs": [{"ip": report.host_ip}],
        "startTime": report.start_time,
        "conditions": _conditions(old.get("conditions") or [], report, phase, generation),
        "containerStatuses": [one.report() for one in report.containers],
    }
    if report.init_containers:
        status["initContainerStatuses"] = [one.report() for one in report.init_containers]
    if report.ips:
        status |= {"podIP": report.ips[0], "podIPs": [{"ip": ip} for ip in report.ips]}
    return status


def _conditions(
    old: Sequence[Object], report: PodReport, phase: str, generation: int
) -> list[Object]:
    unready = [one.name for one in report.containers if one.step is not Step.RUNNING]
    why: Object = {}
    if phase == "Succeeded":
        why = {"reason": "PodCompleted"}
    elif phase == "Failed":
        why = {"reason": "PodFailed"}
    elif unready:
        names = " ".join(unready)
        why = {
            "reason": "ContainersNotReady",
            "message": f"containers with unready status: [{names}]",
        }
    initialized: Object = {} if report.initialized else {"reason": "ContainersNotInitialized"}
    ready = report.initialized and not unready
    wanted: tuple[tuple[str, bool, Object], ...] = (
        ("PodReadyToStartContainers", report.sandbox_ready, {}),
        ("Initialized", report.initialized, initialized),
        ("Ready", ready, why),
        ("ContainersReady", ready, why),
        ("PodScheduled", True, {}),
    )
    return [_condition(old, name, holds, generation, more) for name, holds, more in wanted]


def _condition(
    old: Sequence[Object], name: str, holds: bool, generation: int, more: Object
) -> Object:
    status = "True" if holds else "False"
    before = next((one for one in old if one["type"] == name), {})
    same = before.get("status") == status
    return {
        "type": name,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": before["lastTransitionTime"] if same else timestamp(),
        "observedGeneration": generation,
        **more,
    }
