"""A kubeconfig, or the service account of a pod -> the official client's Configuration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podmatrix.errors import SettingsError


def from_file(path: Path, context: str | None) -> tuple[Any, str]:
    """Read a kubeconfig. Returns the Configuration and where it leads, for messages.

    Raises SettingsError: missing, unreadable, not YAML, no kubeconfig, unknown context, bad entry.
    """
    document = _document(path)
    contexts = {str(entry.get("name")): entry for entry in _entries(document, "contexts")}
    names = list(contexts)
    chosen = context or document.get("current-context")
    known = f"contexts there: {', '.join(names) or 'none'}"
    if not chosen:
        raise SettingsError(f"{path}: no current-context; name one with --kube-context ({known})")
    if chosen not in names:
        raise SettingsError(f"{path}: context {chosen!r} is unknown; {known}")
    _require_user(document, contexts[str(chosen)], f"{path}: context {chosen}")
    return _load(path, str(chosen)), f"context {chosen} of {path}"


def in_cluster() -> tuple[Any, str]:
    """Use the service account of the pod this runs in. Raises SettingsError elsewhere."""
    from kubernetes import client, config
    from kubernetes.config import ConfigException

    configuration = client.Configuration()
    load: Any = config.load_incluster_config
    try:
        load(client_configuration=configuration)
    except ConfigException as exc:
        raise SettingsError(
            f"--in-cluster: this is no pod of a cluster ({exc}); give --kubeconfig=FILE instead"
        ) from exc
    return configuration, "the cluster of this pod"


def _document(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise SettingsError(f"{path}: no such file; give the path of a kubeconfig") from exc
    except OSError as exc:
        raise SettingsError(
            f"{path}: cannot be read, {exc.strerror}; give a file this user may read"
        ) from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        what = " ".join(str(exc).split())
        raise SettingsError(f"{path}: not YAML, {what}; give a kubeconfig") from exc
    if not isinstance(document, Mapping) or not _entries(document, "clusters"):
        raise SettingsError(f"{path}: no kubeconfig, it lists no clusters; give a kubeconfig")
    return document


def _require_user(document: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> None:
    """The client would go on without credentials, and the server's answer would not say why."""
    context = entry.get("context")
    user = context.get("user") if isinstance(context, Mapping) else None
    users = [str(one.get("name")) for one in _entries(document, "users")]
    if user not in users:
        known = ", ".join(users) or "none"
        raise SettingsError(f"{where}: its user {user!r} is not listed; users there: {known}")


def _entries(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    entries = document.get(key)
    if not isinstance(entries, list):
        return []
    return [entry for entry in entries if isinstance(entry, Mapping)]


def _load(path: Path, context: str) -> Any:  # noqa: ANN401  the client has no types
    from kubernetes import client, config
    from kubernetes.config import ConfigException

    configuration = client.Configuration()
    load: Any = config.load_kube_config
    try:
        load(
            config_file=str(path),
            context=context,
            client_configuration=configuration,
            persist_config=False,
        )
    # The loader checks little: entries of another shape end in its own TypeErrors and KeyErrors.
    except (ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
        what = " ".join(str(exc).split())
        raise SettingsError(
            f"{path}: context {context} cannot be used, {what}; correct it there"
        ) from exc
    return configuration
