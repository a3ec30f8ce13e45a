"""Pods for tests, and what they say when they are ready."""

from collections.abc import Callable
from typing import Any

from podmatrix.polling import wait_until
from tests.lab.apiserver.http import Http

TIMEOUT_S = 10
Object = dict[str, Any]


def pod(name: str = "p", *command: str, **spec: object) -> Object:
    """A pod that sleeps, or runs `command`; further keywords go into its spec."""
    container = {"name": "main", "image": "tools:1", "command": list(command or ("sleep", "300"))}
    given: Object = {"terminationGracePeriodSeconds": 0, "containers": [container], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": given}


def annotated(obj: Object, **annotations: str) -> Object:
    """The same with annotations; `__` in a key stands for `/`, `_` for what it is."""
    metadata = {**obj["metadata"], "annotations": annotations}
    return {**obj, "metadata": metadata}


class Namespace:
    """The pods and events of one namespace, over plain HTTP."""

    def __init__(self, http: Http, name: str) -> None:
        self.http = http
        self.name = name
        self.pods = f"/api/v1/namespaces/{name}/pods"
        self.events = f"/api/v1/namespaces/{name}/events"
        self.nads = f"/apis/k8s.cni.cncf.io/v1/namespaces/{name}/network-attachment-definitions"

    def create(self, obj: Object) -> Object:
        answer = self.http.post(self.pods, obj)
        assert answer.status == 201, answer.text
        created: Object = answer.json
        return created

    def get(self, name: str = "p") -> Object:
        found: Object = self.http.get(f"{self.pods}/{name}").json
        return found

    def wait(self, holds: Callable[[Object], object], name: str = "p") -> Object:
        """The pod, as soon as something holds of it."""
        seen: Object = {}

        def check() -> Object | None:
            nonlocal seen
            seen = self.get(name)
            return seen if holds(seen) else None

        found = wait_until(check, timeout_s=TIMEOUT_S, what=f"pod {name}", last=lambda: str(seen))
        assert found is not None
        return found

    def wait_phase(self, phase: str, name: str = "p") -> Object:
        return self.wait(lambda obj: obj.get("status", {}).get("phase") == phase, name)

    def run(self, obj: Object) -> Object:
        """Create a pod and wait until it runs."""
        self.create(obj)
        return self.wait_phase("Running", obj["metadata"]["name"])

    def wait_gone(self, name: str = "p") -> None:
        wait_until(
            lambda: self.http.get(f"{self.pods}/{name}").status == 404,
            timeout_s=TIMEOUT_S,
            what=f"pod {name} gone",
        )

    def reasons(self) -> list[tuple[str, str]]:
        """Component and reason of the events, oldest first."""
        items = self.http.get(self.events).json["items"]
        items.sort(key=lambda one: int(one["metadata"]["resourceVersion"]))
        return [(one["source"]["component"], one["reason"]) for one in items]

    def event(self, reason: str) -> Object:
        """The first event of a reason, as soon as there is one."""

        def find() -> Object | None:
            items = self.http.get(self.events, fieldSelector=f"reason={reason}").json["items"]
            return items[0] if items else None

        found = wait_until(find, timeout_s=TIMEOUT_S, what=f"event {reason}")
        assert found is not None
        return found
