"""A pod's sandbox: run, stopped again, and what is said about it in events."""

import asyncio
import logging
import secrets
from collections.abc import Iterable

from podmatrix.errors import LabError
from podmatrix.lab.apiserver.kubelet.config import sandbox_config
from podmatrix.lab.apiserver.kubelet.context import NodeContext
from podmatrix.lab.apiserver.objects import Object, uid_of
from podmatrix.lab.apiserver.recorder import NORMAL, WARNING
from podmatrix.lab.runtime import AddedInterface, NetworkPluginError, PodSandboxStatus

log = logging.getLogger(__name__)

STOP_ATTEMPTS = 3
STOP_RETRY_S = 0.5


async def run_sandbox(context: NodeContext, pod: Object) -> PodSandboxStatus | None:
    """Run the sandbox of a pod and tell its interfaces; None where it failed, which is told."""
    config = sandbox_config(pod, context.node_name)
    try:
        async with context.starting:
            status = await context.runtime.run_pod_sandbox(config, context.nads)
    except LabError as exc:
        _tell_failure(context, pod, exc)
        return None
    _tell_added(context, pod, status.added)
    return status


def _tell_added(context: NodeContext, pod: Object, added: Iterable[AddedInterface]) -> None:
    for one in added:
        message = f"Add {one.ifname} [{' '.join(one.cidrs)}] from {one.network}"
        context.multus_events.record(pod, NORMAL, "AddedInterface", message)


def _tell_failure(context: NodeContext, pod: Object, exc: LabError) -> None:
    what = str(exc)
    if isinstance(exc, NetworkPluginError):
        _tell_added(context, pod, exc.added)
        if exc.reason:
            context.multus_events.record(pod, WARNING, exc.reason, exc.event)
        what = f'failed to setup network for sandbox "{secrets.token_hex(32)}": {exc}'
    message = f"Failed to create pod sandbox: rpc error: code = Unknown desc = {what}"
    context.events.record(pod, WARNING, "FailedCreatePodSandBox", message)


async def stop_sandbox(context: NodeContext, pod: Object) -> None:
    """Stop the sandbox of a pod; what a CNI DEL left behind is tried again, told and logged."""
    for attempt in range(1, STOP_ATTEMPTS + 1):
        try:
            await context.runtime.stop_pod_sandbox(uid_of(pod))
        except LabError as exc:
            context.events.record(pod, WARNING, "FailedKillPod", f"error killing pod: {exc}")
            log.warning("%s: attempt %d to stop a sandbox: %s", context.node_name, attempt, exc)
            await asyncio.sleep(STOP_RETRY_S)
        else:
            return
