"""The life of one pod on its node (kubernetes/pkg/kubelet/pod_workers.go)."""

import asyncio
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from podmatrix.lab.apiserver.kubelet.config import forbidden_sysctl
from podmatrix.lab.apiserver.kubelet.container_loop import ContainerLoop
from podmatrix.lab.apiserver.kubelet.context import NodeContext
from podmatrix.lab.apiserver.kubelet.log_files import log_file, pod_log_dir
from podmatrix.lab.apiserver.kubelet.pod_status import ContainerState, PodReport, pod_status
from podmatrix.lab.apiserver.kubelet.pod_volumes import PodVolumes, VolumeError
from podmatrix.lab.apiserver.kubelet.sandbox import run_sandbox, stop_sandbox
from podmatrix.lab.apiserver.objects import (
    Object,
    name_of,
    namespace_of,
    timestamp,
    uid_of,
    with_metadata,
)
from podmatrix.lab.apiserver.recorder import NORMAL, WARNING
from podmatrix.lab.runtime import PodSandboxStatus

SANDBOX_RETRY_S = 12.0
"""A real kubelet comes back to a pod without a sandbox every 10 to 15 s."""


class PodWorker:
    """Runs one pod until it has ended or is stopped, and reports its status all the while."""

    def __init__(self, context: NodeContext, pod: Object) -> None:
        self._context = context
        self._first = pod
        self._namespace, self._name, self.uid = namespace_of(pod), name_of(pod), uid_of(pod)
        self.volumes: Mapping[str, str] = {}
        self._ips: tuple[str, ...] = ()
        self._sandbox_ready = False
        self._start_time = timestamp()
        self._stop_at: float | None = None
        self._wake = asyncio.Event()
        spec = pod["spec"]
        self._init = [self._loop(one) for one in spec.get("initContainers") or []]
        self._main = [self._loop(one) for one in spec["containers"]]
        self._initialized = not self._init

    @property
    def pod(self) -> Object:
        """The pod as it is now; as it was first where it is no longer in the store."""
        found = self._context.store.get("pods", self._namespace, self._name)
        return found if found is not None and uid_of(found) == self.uid else self._first

    @property
    def stopping(self) -> bool:
        """Whether the pod is to end."""
        return self._stop_at is not None

    def is_running(self, container: str) -> bool:
        """Whether a container of that name runs: commands can be executed in it."""
        return any(one.state.name == container and one.running for one in self._init + self._main)

    def log_path(self, container: str, restarts: int) -> Path:
        """Where a container's output goes."""
        return log_file(self._context.log_dir, self._first, container, restarts)

    def wake(self) -> None:
        """Try again at once what is being waited for."""
        self._wake.set()

    def stop(self, grace_s: float) -> None:
        """End the pod: SIGTERM to its containers and SIGKILL after `grace_s` seconds.

        May be called again to bring the end forward.
        """
        loop = asyncio.get_running_loop()
        kill_at = loop.time() + grace_s
        if self._stop_at is None:
            for one in self._running():
                message = f"Stopping container {one.state.name}"
                self._context.events.record(
                    self.pod, NORMAL, "Killing", message, container=one.state.name
                )
        if self._stop_at is None or kill_at < self._stop_at:
            self._stop_at = kill_at
            for one in self._running():
                one.kill(signal.SIGTERM if grace_s > 0 else signal.SIGKILL)
            loop.call_at(kill_at, self._kill_all)
        self.wake()

    async def run(self) -> None:
        """Carry the pod out; returns when nothing of it is left on the node."""
        if (name := forbidden_sysctl(self.pod)) is not None:
            self._reject("SysctlForbidden", f'forbidden sysctl: "{name}" not allowlisted')
            return
        try:
            await self._run()
        finally:
            await stop_sandbox(self._context, self.pod)
            self._context.runtime.remove_volumes(self.uid)
            self._sandbox_ready = False
            if self.stopping:
                self._finish()
            else:
                self.publish()

    async def _run(self) -> None:
        self.publish()
        if not await self._volumes_ready() or not await self._run_sandbox():
            return
        for one in self._init:
            if not await one.run_to_success():
                return
        self._initialized = True
        async with self._context.starting:
            await asyncio.gather(*(one.start() for one in self._main))
        self.publish()
        await asyncio.gather(*(one.keep_running() for one in self._main))

    async def _volumes_ready(self) -> bool:
        while not self.stopping:
            try:
                volumes = PodVolumes(self._context.store, self._context.runtime)
                self.volumes = volumes.set_up(self.pod)
            except VolumeError as exc:
                self._context.events.record(self.pod, WARNING, "FailedMount", str(exc))
                await self.pause(SANDBOX_RETRY_S)
            else:
                return True
        return False

    async def _run_sandbox(self) -> bool:
        """Try until the sandbox runs; False where the pod was stopped before."""
        while not self.stopping:
            self._wake.clear()
            status = await run_sandbox(self._context, self.pod)
            if status is not None:
                self._sandbox_runs(status)
                return not self.stopping
            await self.pause(SANDBOX_RETRY_S)
        return False

    def _sandbox_runs(self, status: PodSandboxStatus) -> None:
        host_network = self._first["spec"].get("hostNetwork")
        self._ips = (self._context.host_ip,) if host_network else tuple(status.ips)
        self._sandbox_ready = True
        if status.annotations and self._is_stored():
            pod = self.pod
            annotations = {**(pod["metadata"].get("annotations") or {}), **status.annotations}
            self._context.store.update("pods", with_metadata(pod, annotations=annotations))

    def _loop(self, container: Object) -> ContainerLoop:
        state = ContainerState(name=container["name"], image=container["image"])
        if self._first["spec"].get("initContainers"):
            state.reason = "PodInitializing"
        return ContainerLoop(self, self._context, container, state)

    def _running(self) -> list[ContainerLoop]:
        return [one for one in self._init + self._main if one.running]

    def _kill_all(self) -> None:
        for one in self._running():
            one.kill(signal.SIGKILL)

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than until the pod is stopped or something has changed."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        if not self.stopping:
            self._wake.clear()

    def late_signal(self) -> signal.Signals:
        """What a container gets that was started while the pod was being stopped."""
        late = self._stop_at is not None and self._stop_at <= asyncio.get_running_loop().time()
        return signal.SIGKILL if late else signal.SIGTERM

    def publish(self) -> None:
        """Report the status, unless the pod is no longer there to have one."""
        if self._is_stored():
            pod = self.pod
            report = PodReport(
                host_ip=self._context.host_ip,
                start_time=self._start_time,
                ips=self._ips,
                sandbox_ready=self._sandbox_ready,
                initialized=self._initialized,
                init_containers=[one.state for one in self._init],
                containers=[one.state for one in self._main],
            )
            self._context.store.update("pods", {**pod, "status": pod_status(pod, report)})

    def _is_stored(self) -> bool:
        found = self._context.store.get("pods", self._namespace, self._name)
        return found is not None and uid_of(found) == self.uid

    def _reject(self, reason: str, message: str) -> None:
        pod = self.pod
        self._context.events.record(pod, WARNING, reason, message)
        status = {
            "phase": "Failed",
            "reason": reason,
            "message": f"Pod was rejected: {message}",
            "startTime": self._start_time,
            "qosClass": pod["status"].get("qosClass"),
        }
        self._context.store.update("pods", {**pod, "status": status})

    def _finish(self) -> None:
        """The pod has been stopped: its object goes where it was waiting for that."""
        shutil.rmtree(pod_log_dir(self._context.log_dir, self._first), ignore_errors=True)
        self.publish()
        if self._is_stored() and "deletionTimestamp" in self.pod["metadata"]:
            self._context.store.delete("pods", self._namespace, self._name)
