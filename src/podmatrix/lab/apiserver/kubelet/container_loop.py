"""One container: started, watched, and started again as the pod's restartPolicy says."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from podmatrix.errors import LabError
from podmatrix.lab.apiserver.kubelet.config import ContainerConfigError, container_config
from podmatrix.lab.apiserver.kubelet.context import NodeContext
from podmatrix.lab.apiserver.kubelet.pod_status import START_ERROR, ContainerState, Step
from podmatrix.lab.apiserver.objects import Object, name_of, namespace_of
from podmatrix.lab.apiserver.recorder import NORMAL, WARNING
from podmatrix.lab.runtime import Container

BACKOFF_S = 10.0
BACKOFF_MAX_S = 300.0
BACKOFF_RESET_S = 600.0
"""A container that ran this long is started again as if it had never failed."""


class PodOfContainer(Protocol):
    """What a container has to know of its pod's worker."""

    uid: str
    volumes: Mapping[str, str]

    @property
    def pod(self) -> Object:
        """The pod as it is now."""
        ...

    @property
    def stopping(self) -> bool:
        """Whether the pod is to end."""
        ...

    def late_signal(self) -> signal.Signals:
        """What a container gets that was started while the pod was being stopped."""
        ...

    def log_path(self, container: str, restarts: int) -> Path:
        """Where a container's output goes."""
        ...

    def publish(self) -> None:
        """Report the pod's status."""
        ...

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than until the pod is stopped or something has changed."""
        ...


class ContainerLoop:
    """Keeps one container as its pod wants it."""

    def __init__(
        self,
        worker: PodOfContainer,
        context: NodeContext,
        container: Object,
        state: ContainerState,
    ) -> None:
        self._worker = worker
        self._context = context
        self._spec = container
        self.state = state
        self._container: Container | None = None
        self._backoff_s = 0.0

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self._container is not None

    @property
    def _policy(self) -> str:
        return str(self._worker.pod["spec"]["restartPolicy"])

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to its first process."""
        if self._container is not None:
            self._container.kill(number)

    async def run_to_success(self) -> bool:
        """Run an init container until it ends with 0; False where it never will."""
        while not self._worker.stopping:
            await self.start()
            self._worker.publish()
            if await self._end() == 0:
                return True
            if self._policy == "Never" and self.state.step is Step.TERMINATED:
                return False
            await self._back_off()
        return False

    async def keep_running(self) -> None:
        """Watch a started container and start it again until it has ended for good."""
        while True:
            code = await self._end()
            never = self._policy == "Never" or (self._policy == "OnFailure" and code == 0)
            if self._worker.stopping or (never and self.state.step is Step.TERMINATED):
                return
            await self._back_off()
            if self._worker.stopping:
                return
            await self.start()
            self._worker.publish()

    async def start(self) -> None:
        """Start it once; what goes wrong is in its state afterwards."""
        if self._worker.stopping:
            return
        if self.state.last_terminated or self.state.terminated:
            self.state.restarts += 1
        try:
            self._container = await self._started()
        except ContainerConfigError as exc:
            self._event(WARNING, "Failed", f"Error: {exc}")
            self.state.wait("CreateContainerConfigError", str(exc))
        except LabError as exc:
            why = _containerd(str(exc))
            self._event(WARNING, "Failed", f"Error: {why}")
            self.state.started_at = ""
            self.state.end(START_ERROR, reason="StartError", message=why)
            if self._policy != "Never":
                self.state.wait("RunContainerError", why)
        else:
            self.state.run(self._container.container_id)
            self._event(NORMAL, "Started", f"Started container {self.state.name}")
            if self._worker.stopping:
                self._container.kill(self._worker.late_signal())

    async def _started(self) -> Container:
        log_path = self._worker.log_path(self.state.name, self.state.restarts)
        config = container_config(
            self._context.store,
            self._worker.pod,
            self._spec,
            node_name=self._context.node_name,
            log_path=str(log_path),
            volumes=self._worker.volumes,
        )
        log_path.parent.mkdir(parents=True, exist_ok=True)
        image = self._spec["image"]
        self._event(NORMAL, "Pulled", f'Container image "{image}" already present on machine')
        self._event(NORMAL, "Created", f"Created container: {self.state.name}")
        return await self._context.runtime.start_container(self._worker.uid, config)

    async def _end(self) -> int:
        """Wait for its end and return the exit code; one that could not start has ended."""
        if self._container is None:
            return START_ERROR
        began = asyncio.get_running_loop().time()
        code = await self._container.wait()
        if asyncio.get_running_loop().time() - began > BACKOFF_RESET_S:
            self._backoff_s = 0.0
        self._container = None
        self.state.end(code)
        self._worker.publish()
        return code

    async def _back_off(self) -> None:
        """The first restart comes at once, later ones after 10 s, 20 s, 40 s ... 5 min."""
        delay_s, self._backoff_s = (
            self._backoff_s,
            min(max(BACKOFF_S, self._backoff_s * 2), BACKOFF_MAX_S),
        )
        if not delay_s or self._worker.stopping:
            return
        pod = self._worker.pod
        where = f"{name_of(pod)}_{namespace_of(pod)}({self._worker.uid})"
        if self.state.reason != "CreateContainerConfigError" or self.state.step is Step.TERMINATED:
            self._event(
                WARNING,
                "BackOff",
                f"Back-off restarting failed container {self.state.name} in pod {where}",
            )
            message = f"back-off {_go_duration(delay_s)} restarting failed container="
            self.state.wait("CrashLoopBackOff", f"{message}{self.state.name} pod={where}")
            self._worker.publish()
        await self._worker.pause(delay_s)

    def _event(self, type_: str, reason: str, message: str) -> None:
        self._context.events.record(
            self._worker.pod, type_, reason, message, container=self.state.name
        )


def _containerd(why: str) -> str:
    """What containerd makes of runc's word that it could not execute a command."""
    if not why.startswith("exec: "):
        return why
    return (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
        f"runc create failed: unable to start container process: {why}: unknown"
    )


def _go_duration(seconds: float) -> str:
    """A duration as Go prints it: 10s, 1m20s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
