"""The volumes of a pod: what a kubelet makes on the node before the pod's sandbox runs."""

import base64
from collections.abc import Callable, Iterable, Mapping

from podmatrix.errors import LabError
from podmatrix.lab.apiserver.kubelet.config import ContainerConfigError, value_from_field
from podmatrix.lab.apiserver.objects import Object, namespace_of, uid_of
from podmatrix.lab.apiserver.store import Store
from podmatrix.lab.runtime import ContainerRuntime, Volume, VolumeFile

Files = dict[str, VolumeFile]
_MODE = 0o644
_KNOWN = "the lab mounts hostPath, emptyDir, configMap, downwardAPI and projected volumes only"


class VolumeError(LabError):
    """A volume of a pod cannot be mounted (FailedMount)."""


class PodVolumes:
    """Sets volumes up on one node."""

    def __init__(self, store: Store, runtime: ContainerRuntime) -> None:
        self._store = store
        self._runtime = runtime

    def set_up(self, pod: Object) -> dict[str, str]:
        """Make what is not there yet; returns the place of each volume by name.

        Raises VolumeError for the first that cannot be made.
        """
        places = {}
        for volume in pod["spec"].get("volumes") or []:
            name = volume["name"]
            try:
                places[name] = self._place(pod, volume)
            except LabError as exc:
                why = f'MountVolume.SetUp failed for volume "{name}" : {exc}'
                raise VolumeError(why) from exc
        return places

    def _place(self, pod: Object, volume: Object) -> str:
        plugin = next((key for key in volume if key != "name"), "emptyDir")
        source: Object = volume.get(plugin) or {}
        if plugin == "hostPath":
            self._runtime.check_host_path(source["path"], source.get("type") or "")
            return str(source["path"])
        makers: Mapping[str, Callable[[Object, str, Object], Volume]] = {
            "emptyDir": _empty_dir,
            "configMap": self._config_map,
            "downwardAPI": self._downward_api,
            "projected": self._projected,
        }
        if plugin == "secret":
            raise VolumeError(f'secret "{source.get("secretName", "")}" not found')
        if plugin not in makers:
            raise VolumeError(f"{_KNOWN}, not {plugin}")
        made = makers[plugin](pod, volume["name"], source)
        return self._runtime.set_up_volume(uid_of(pod), made)

    def _config_map(self, pod: Object, name: str, source: Object) -> Volume:
        files = self._config_map_files(pod, source, source.get("defaultMode", _MODE))
        return Volume(name=name, plugin="configmap", files=files, group=_fs_group(pod))

    def _downward_api(self, pod: Object, name: str, source: Object) -> Volume:
        files = _downward_files(pod, source, source.get("defaultMode", _MODE))
        return Volume(
            name=name, plugin="downward-api", files=files, mode=0o1777, group=_fs_group(pod)
        )

    def _projected(self, pod: Object, name: str, source: Object) -> Volume:
        mode, files = source.get("defaultMode", _MODE), Files()
        for one in source.get("sources") or []:
            kind = next(iter(one), "")
            if kind == "configMap":
                files |= self._config_map_files(pod, one[kind], mode)
            elif kind == "downwardAPI":
                files |= _downward_files(pod, one[kind], mode)
            else:
                raise VolumeError(f"the lab projects configMap and downwardAPI only, not {kind}")
        return Volume(name=name, plugin="projected", files=files, mode=0o1777, group=_fs_group(pod))

    def _config_map_files(self, pod: Object, source: Object, mode: int) -> Files:
        found = self._store.get("configmaps", namespace_of(pod), source["name"])
        if found is None:
            if source.get("optional"):
                return {}
            raise VolumeError(f'configmap "{source["name"]}" not found')
        content = {key: text.encode() for key, text in (found.get("data") or {}).items()}
        for key, text in (found.get("binaryData") or {}).items():
            content[key] = base64.b64decode(text)
        items: Iterable[Object] = source.get("items") or [
            {"key": key, "path": key} for key in content
        ]
        files = Files()
        for item in items:
            if item["key"] not in content:
                if source.get("optional"):
                    continue
                raise VolumeError(f"references non-existent config key: {item['key']}")
            files[item["path"]] = VolumeFile(
                content=content[item["key"]], mode=item.get("mode", mode)
            )
        return files


def _fs_group(pod: Object) -> int | None:
    group: int | None = (pod["spec"].get("securityContext") or {}).get("fsGroup")
    return group


def _empty_dir(pod: Object, name: str, source: Object) -> Volume:
    mode = 0o1777 if source.get("medium") == "Memory" else 0o777
    return Volume(name=name, plugin="empty-dir", mode=mode, group=_fs_group(pod))


def _downward_files(pod: Object, source: Object, mode: int) -> Files:
    files = Files()
    for item in source.get("items") or []:
        if "fieldRef" not in item:
            raise VolumeError(f"{item['path']}: the lab fills in fieldRef only")
        path = item["fieldRef"]["fieldPath"]
        if path in ("metadata.labels", "metadata.annotations"):
            text = _as_lines(pod["metadata"].get(path.partition(".")[2]) or {})
        else:
            text = _field(pod, path)
        files[item["path"]] = VolumeFile(content=text.encode(), mode=item.get("mode", mode))
    return files


def _field(pod: Object, path: str) -> str:
    try:
        return value_from_field(pod, path, pod["spec"]["nodeName"])
    except ContainerConfigError as exc:
        raise VolumeError(str(exc)) from exc


def _as_lines(values: Mapping[str, str]) -> str:
    """FormatMap of kubernetes/pkg/fieldpath: sorted, values quoted as Go does."""
    quoted = (
        f'{key}="{value}"'
        for key, value in sorted(
            (key, one.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
            for key, one in values.items()
        )
    )
    return "\n".join(quoted)
