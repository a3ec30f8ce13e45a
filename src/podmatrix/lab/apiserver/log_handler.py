"""pods/log: the output of a container, from the file its runtime writes."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from aiohttp import web

from podmatrix.lab.apiserver.exec_handler import container_of
from podmatrix.lab.apiserver.kubelet.kubelet import Kubelet
from podmatrix.lab.apiserver.kubelet.log_files import log_file
from podmatrix.lab.apiserver.objects import Object, name_of
from podmatrix.lab.apiserver.request_info import RequestInfo, flag, number
from podmatrix.lab.apiserver.responses import stream_response
from podmatrix.lab.apiserver.status import bad_request, method_not_allowed
from podmatrix.lab.apiserver.store import Store
from podmatrix.lab.apiserver.writes import existing

_FOLLOW_INTERVAL_S = 0.2
_NOT_SERVED = ("sinceSeconds", "sinceTime", "timestamps")
"""Parameters that need the time of each line, which the lab's log files do not have."""


class LogHandler:
    """Answers requests for pods/log."""

    def __init__(self, store: Store, kubelets: Mapping[str, Kubelet], log_dir: str) -> None:
        self._store = store
        self._kubelets = kubelets
        self._log_dir = log_dir

    async def __call__(self, request: web.BaseRequest, info: RequestInfo) -> web.StreamResponse:
        """The log as text. Raises ApiError 400 where there is none to show."""
        if request.method != "GET":
            raise method_not_allowed()
        query = request.query
        pod = existing(self._store, info)
        container = container_of(pod, query.get("container", ""))
        for name in _NOT_SERVED:
            if query.get(name, "false") not in ("", "0", "false"):
                raise bad_request(f"{name} is not supported: the lab's logs have no times")
        if not pod["spec"].get("nodeName"):
            return web.Response(status=204)
        path = self._path(pod, container, previous=flag(query, "previous"))
        content = _tail(_read(path), number(query, "tailLines"))
        limit = number(query, "limitBytes")
        if not flag(query, "follow"):
            shown = content if limit is None else content[:limit]
            return web.Response(body=shown, content_type="text/plain")
        lines = self._follow(info, container, path, content)
        return await stream_response(request, lines, "text/plain")

    def _path(self, pod: Object, container: str, *, previous: bool) -> Path:
        status = _status(pod, container)
        restarts = status.get("restartCount", 0)
        if previous and not restarts:
            raise bad_request(
                f'previous terminated container "{container}" in pod "{name_of(pod)}" not found'
            )
        waiting = status.get("state", {}).get("waiting")
        if waiting and not status.get("lastState"):
            raise bad_request(
                f'container "{container}" in pod "{name_of(pod)}" is waiting to start: '
                f"{waiting.get('reason', '')}"
            )
        return log_file(self._log_dir, pod, container, restarts - int(previous))

    async def _follow(
        self, info: RequestInfo, container: str, path: Path, shown: bytes
    ) -> AsyncIterator[bytes]:
        """What is there, then what comes, until the container has ended."""
        at = len(_read(path))
        yield shown
        running = True
        while running:
            pod = self._store.get("pods", info.namespace, info.name)
            running = pod is not None and "running" in _status(pod, container).get("state", {})
            new = _read(path, at)
            at += len(new)
            if new:
                yield new
            await asyncio.sleep(_FOLLOW_INTERVAL_S if running else 0)


def _status(pod: Object, container: str) -> Object:
    status = pod.get("status", {})
    known = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    found: Object = next((one for one in known if one["name"] == container), {})
    return found


def _read(path: Path, at: int = 0) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(at)
        return file.read()


def _tail(content: bytes, lines: int | None) -> bytes:
    if lines is None or lines < 0:
        return content
    return b"".join(content.splitlines(keepends=True)[-lines:]) if lines else b""
