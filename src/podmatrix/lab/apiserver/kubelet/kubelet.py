"""One node's kubelet: a worker for each of the pods that are bound to the node."""

import asyncio
import logging
import shutil
from collections.abc import Mapping
from typing import Any

from podmatrix.lab.apiserver.kubelet.context import NodeContext
from podmatrix.lab.apiserver.kubelet.log_files import pod_log_dir
from podmatrix.lab.apiserver.kubelet.worker import PodWorker
from podmatrix.lab.apiserver.objects import Object, name_of, namespace_of, uid_of
from podmatrix.lab.apiserver.recorder import EventRecorder
from podmatrix.lab.apiserver.spec import NodeSpec
from podmatrix.lab.apiserver.store import Change, ChangeType, Store
from podmatrix.lab.runtime import ContainerRuntime

log = logging.getLogger(__name__)

NADS = "network-attachment-definitions.k8s.cni.cncf.io"


class Kubelet:
    """Acts on changes of its node's pods."""

    def __init__(
        self, *, node: NodeSpec, store: Store, runtime: ContainerRuntime, log_dir: str
    ) -> None:
        self._store = store
        self._node_name = node.name
        self._context = NodeContext(
            node_name=node.name,
            host_ip=node.internal_ip,
            log_dir=log_dir,
            store=store,
            runtime=runtime,
            nads=self._nad,
            events=EventRecorder(store, "kubelet", host=node.name),
            multus_events=EventRecorder(store, "multus"),
        )
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._last_of_name: dict[tuple[str, str], asyncio.Task[None]] = {}
        store.subscribe("pods", self._on_pod)
        store.subscribe(NADS, self._on_nad)

    def worker(self, uid: str) -> PodWorker | None:
        """The worker of a pod, while there is one."""
        return self._workers.get(uid)

    async def shut_down(self) -> None:
        """Stop all pods at once, and wait until nothing of them is left."""
        for worker in tuple(self._workers.values()):
            worker.stop(0)
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _nad(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        return self._store.get(NADS, namespace, name)

    def _on_nad(self, change: Change) -> None:
        """A pod may have waited for it: do not let it wait for its next turn."""
        if change.type is not ChangeType.DELETED:
            for worker in self._workers.values():
                worker.wake()

    def _on_pod(self, change: Change) -> None:
        pod = change.object
        if pod["spec"].get("nodeName") != self._node_name:
            return
        worker = self._workers.get(uid_of(pod))
        if change.type is ChangeType.DELETED:
            for events in (self._context.events, self._context.multus_events):
                events.forget(uid_of(pod))
            if worker is not None:
                worker.stop(0)
            else:
                shutil.rmtree(pod_log_dir(self._context.log_dir, pod), ignore_errors=True)
        elif worker is None:
            self._start(pod)
        elif "deletionTimestamp" in pod["metadata"]:
            before = (change.previous or pod)["metadata"].get("deletionGracePeriodSeconds")
            grace_s = pod["metadata"]["deletionGracePeriodSeconds"]
            if grace_s != before:
                worker.stop(grace_s)

    def _start(self, pod: Object) -> None:
        if pod["status"].get("phase") in ("Succeeded", "Failed"):
            return
        if "deletionTimestamp" in pod["metadata"]:
            # Bound and deleted before anything of it ran.
            self._store.delete("pods", namespace_of(pod), name_of(pod))
            return
        uid, place = uid_of(pod), (namespace_of(pod), name_of(pod))
        worker = PodWorker(self._context, pod)
        self._workers[uid] = worker
        task = asyncio.get_running_loop().create_task(
            self._run(worker, self._last_of_name.get(place)), name=f"pod {place[0]}/{place[1]}"
        )
        self._tasks[uid] = self._last_of_name[place] = task
        task.add_done_callback(lambda done: self._done(uid, place, done))

    async def _run(self, worker: PodWorker, before: asyncio.Task[None] | None) -> None:
        """An earlier pod of the same name must be gone: Calico names its veth after the pod."""
        if before is not None:
            await asyncio.wait({before})
        await worker.run()

    def _done(self, uid: str, place: tuple[str, str], task: asyncio.Task[None]) -> None:
        self._tasks.pop(uid, None)
        self._workers.pop(uid, None)
        if self._last_of_name.get(place) is task:
            del self._last_of_name[place]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s on %s", task.get_name(), self._node_name, exc_info=error)
