"""The profile: networks, pod kinds and reachability, loaded from YAML and checked as a whole.

Every error is a ProfileError `file: path.in.file: what; cure`. Nothing here looks at a cluster.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from podmatrix.declaration import (
    DEFAULT_NETWORK,
    Attach,
    Declared,
    Network,
    PodKind,
    Rule,
    Selector,
    Vtep,
    WrittenProfile,
)
from podmatrix.errors import ProfileError
from podmatrix.model import Cell, Expect, Mode, PodRole

__all__ = [
    "DEFAULT_NETWORK",
    "Attach",
    "Network",
    "PodKind",
    "Profile",
    "ProfileError",
    "Rule",
    "Selector",
    "Vtep",
    "load_profile",
    "parse_profile",
]

BUILT_IN = Path(__file__).resolve().parents[2] / "manifests" / "profiles"
"""Profiles that are known by name; they belong to the checkout, not to the installed package."""

Problem = tuple[str, str]
"""Path in the file; what is wrong there and its cure."""


class Profile(Declared):
    """A declaration in which every name resolves. `source` says where it was read from."""

    name: str
    networks: dict[str, Network]
    pods: dict[str, PodKind]
    default: Expect
    rules: tuple[Rule, ...] = ()
    source: str = ""
    digest: str = ""
    """SHA-256 of the file's text: two profiles may have one name."""

    def roles(self, slots: Sequence[str]) -> tuple[PodRole, ...]:
        """Every pod of a run: the kinds in the order of the file, each on every slot."""
        return tuple(
            PodRole(
                kind=kind,
                slot=slot,
                interfaces=tuple(pod.interfaces.items()),
                host_network=pod.host_network,
            )
            for kind, pod in self.pods.items()
            for slot in slots
        )

    def rule_for(self, cell: Cell) -> tuple[int, Rule] | None:
        """The first rule that matches, with its index in the file; None: the default holds."""
        return next(((i, rule) for i, rule in enumerate(self.rules) if rule.matches(cell)), None)

    def expected(self, cell: Cell) -> Expect:
        """What rule or default say of a cell."""
        found = self.rule_for(cell)
        return found[1].expect if found else self.default


def load_profile(name_or_path: str) -> Profile:
    """Load a built-in profile by its name, or any other by its path. Raises ProfileError."""
    path = _locate(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ProfileError(f"{path}: cannot be read, {exc}; give a readable YAML file") from exc
    return parse_profile(text, source=str(path))


def parse_profile(text: str, *, source: str) -> Profile:
    """Read the YAML text of a profile; `source` names it in errors. Raises ProfileError."""
    try:
        # Built on SafeLoader: makes plain data only.
        document = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as exc:
        what = " ".join(str(exc).split())
        raise ProfileError(f"{source}: not YAML, {what}; correct it there") from exc
    if not isinstance(document, Mapping):
        raise ProfileError(f"{source}: holds no profile; start from {BUILT_IN / 'owner.yaml'}")
    try:
        written = WrittenProfile.model_validate(document)
    except ValidationError as exc:
        raise ProfileError("\n".join(_messages(source, exc))) from exc
    problems = [f"{source}: {path}: {what}" for path, what in _problems(written)]
    if problems:
        raise ProfileError("\n".join(problems))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return _resolved(written, source).model_copy(update={"digest": digest})


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key written twice: YAML would let the second silently replace the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key_node.value!r} is written twice", key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)


def _locate(name_or_path: str) -> Path:
    built_in = sorted(path.stem for path in BUILT_IN.glob("*.yaml"))
    if name_or_path in built_in:
        return BUILT_IN / f"{name_or_path}.yaml"
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    looks_like_path = "/" in name_or_path or path.suffix in {".yaml", ".yml"}
    what = f"{path}: no such file" if looks_like_path else f"profile {name_or_path!r} is unknown"
    names = ", ".join(built_in) if built_in else f"none found in {BUILT_IN}"
    raise ProfileError(f"{what}; give the path of a YAML file, or a built-in name: {names}")


def _messages(source: str, error: ValidationError) -> Iterator[str]:
    """One line for each thing that pydantic found."""
    told = set()
    for found in error.errors(include_url=False):
        # Of `str | Selector` both branches report; that of the mapping is the one that helps.
        if "str" in found["loc"] and isinstance(found["input"], Mapping):
            continue
        match found["type"]:
            case "extra_forbidden":
                what = "unknown key; correct its spelling or remove it"
            case "missing":
                what = "missing; add it"
            case "value_error":
                what = str(found["ctx"]["error"])
                # A plain `attach` stands for both roles: say once what is wrong with it.
                if (found["loc"][:-1], what) in told:
                    continue
                told.add((found["loc"][:-1], what))
            case _:
                what = f"{found['msg']}, found {found['input']!r}; correct it"
        yield f"{source}: {_path(found['loc'])}: {what}"


def _path(loc: tuple[int | str, ...]) -> str:
    """Pydantic's location in the words of the file."""
    ours = {"[key]", "Selector"} | ({"interfaces"} if loc[0] == "pods" else set())
    return ".".join(str(part) for part in loc if part not in ours)


def _problems(written: WrittenProfile) -> Iterator[Problem]:
    if not written.pods:
        yield "pods", "no pods, so nothing would be probed; declare one: {NAME: {eth0: NETWORK}}"
    yield from _overlaps(written.networks)
    for kind, pod in written.pods.items():
        yield from _pod_problems(kind, pod, written.networks)
    for index, rule in enumerate(written.reachability.rules):
        for side, value in (("from", rule.from_), ("to", rule.to)):
            path = f"reachability.rules.{index}.{side}"
            yield from ((path, what) for what in _side_problems(written, side, value))


def _overlaps(networks: Mapping[str, Network]) -> Iterator[Problem]:
    cidrs = [(name, cidr) for name, network in networks.items() for cidr in network.cidr]
    for (name, cidr), (other_name, other) in combinations(cidrs, 2):
        if cidr.version == other.version and cidr.overlaps(other):
            yield (
                f"networks.{other_name}.cidr",
                f"{other} overlaps {cidr} of {name}; give each network addresses of its own",
            )


def _pod_problems(kind: str, pod: PodKind, networks: Mapping[str, Network]) -> Iterator[Problem]:
    for position, (interface, name) in enumerate(pod.interfaces.items()):
        path = f"pods.{kind}.{interface}"
        if name not in networks:
            yield path, f"unknown network {name!r}; {_known('networks', networks)}"
        elif position > 0 and networks[name].attach.secondary == DEFAULT_NETWORK:
            yield (
                path,
                f"network {name!r} is the cluster's default one and can only be a pod's first "
                "interface; list it first, or give it a NetworkAttachmentDefinition",
            )
    # Multus leaves the first interface its name, which kubelets fix as eth0.
    first = next(iter(pod.interfaces), "eth0")
    if first != "eth0":
        yield f"pods.{kind}.{first}", "the first interface of a pod is always eth0; rename it"


def _side_problems(written: WrittenProfile, side: str, value: str | Selector) -> Iterator[str]:
    if isinstance(value, str):
        if value not in written.networks and value not in written.pods:
            yield (
                f"{value!r} is neither a network nor a pod kind; "
                f"{_known('networks', written.networks)}; {_known('pod kinds', written.pods)}"
            )
        return
    if value.network is not None and value.network not in written.networks:
        yield f"unknown network {value.network!r}; {_known('networks', written.networks)}"
    if value.kind is not None and value.kind not in written.pods:
        yield f"unknown pod kind {value.kind!r}; {_known('pod kinds', written.pods)}"
        return
    kinds = [written.pods[value.kind]] if value.kind else list(written.pods.values())
    interfaces = {name: "" for pod in kinds for name in pod.interfaces}
    if value.interface is not None and value.interface not in interfaces:
        yield f"no such interface {value.interface!r}; {_known('interfaces', interfaces)}"
    if side == "from" and value.interface is not None and value.mode is Mode.NATURAL:
        yield "a natural source has no interface, its routes choose; write mode: bound"


def _known(what: str, names: Mapping[str, object]) -> str:
    return f"{what} here: {', '.join(names) or 'none'}"


def _resolved(written: WrittenProfile, source: str) -> Profile:
    def selector(value: str | Selector) -> Selector:
        if isinstance(value, Selector):
            return value
        if value in written.networks:
            return Selector(network=value)
        return Selector(kind=value)

    return Profile(
        name=written.metadata.name,
        networks=written.networks,
        pods=written.pods,
        default=written.reachability.default,
        rules=tuple(
            Rule(
                from_=selector(rule.from_),
                to=selector(rule.to),
                expect=rule.expect,
                reason=rule.reason,
            )
            for rule in written.reachability.rules
        ),
        source=source,
    )
