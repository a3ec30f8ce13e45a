"""The profile: networks, pod kinds and reachability, loaded from YAML and checked as a whole.

Every error is a ProfileError `file: path.in.file: what; cure`. Nothing here looks at a cluster.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from podmatrix.declaration import (
    DEFAULT_NETWORK,
    Attach,
    Declared,
    Name,
    Network,
    PodKind,
    Rule,
    Selector,
    Vtep,
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
]

BUILT_IN = Path(__file__).resolve().parents[2] / "manifests" / "profiles"
"""Profiles that are known by name; they belong to the checkout, not to the installed package."""


class Profile(Declared):
    """A declaration that was checked: every name in it resolves. `source` says where it is from."""

    name: str
    networks: dict[str, Network]
    pods: dict[str, PodKind]
    default: Expect
    rules: tuple[Rule, ...] = ()
    source: str = ""

    def roles(self, slots: Sequence[str]) -> tuple[PodRole, ...]:
        """Every pod of a run: each kind, in the order of the file, on each slot."""
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


class _Metadata(Declared):
    name: Name


class _RuleEntry(Declared):
    """A rule as written: its sides may be plain names."""

    from_: str | Selector = Field(alias="from", default_factory=Selector)
    to: str | Selector = Field(default_factory=Selector)
    expect: Expect
    reason: str = ""


class _Reachability(Declared):
    default: Expect
    rules: tuple[_RuleEntry, ...] = ()


class _ProfileFile(Declared):
    """The document as written (docs: the profile's reference)."""

    api_version: Literal["podmatrix.io/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["Profile"]
    metadata: _Metadata
    networks: dict[Name, Network]
    pods: dict[Name, PodKind] = Field(default_factory=dict)
    reachability: _Reachability


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice: the second would silently replace the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = key_node.value
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is written twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


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
        # A subclass of SafeLoader: constructs plain data only.
        document = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as exc:
        what = " ".join(str(exc).split())
        raise ProfileError(f"{source}: not YAML, {what}; correct it there") from exc
    if not isinstance(document, Mapping):
        raise ProfileError(f"{source}: no profile in it; begin with the built-in owner.yaml")
    try:
        written = _ProfileFile.model_validate(document)
    except ValidationError as exc:
        raise ProfileError("\n".join(_messages(source, exc))) from exc
    return _checked(written, source)


def _locate(name_or_path: str) -> Path:
    built_in = sorted(path.stem for path in BUILT_IN.glob("*.yaml"))
    if name_or_path in built_in:
        return BUILT_IN / f"{name_or_path}.yaml"
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    looks_like_path = "/" in name_or_path or path.suffix in {".yaml", ".yml"}
    what = f"{path}: no such file" if looks_like_path else f"profile {name_or_path!r} is unknown"
    names = f"one of {', '.join(built_in)}" if built_in else f"none are in {BUILT_IN}"
    raise ProfileError(f"{what}; give the path of a YAML file or a built-in name ({names})")


def _messages(source: str, error: ValidationError) -> Iterator[str]:
    for found in error.errors(include_url=False):
        path = ".".join(str(part) for part in found["loc"] if part not in ("[key]", "Selector"))
        match found["type"]:
            case "extra_forbidden":
                what = "unknown key; remove it or correct its spelling"
            case "missing":
                what = "is missing; add it"
            case "value_error":
                what = str(found["ctx"]["error"])
            case _:
                what = f"{found['msg']}, not {found['input']!r}; correct it"
        yield f"{source}: {path}: {what}"


def _checked(written: _ProfileFile, source: str) -> Profile:
    """Resolve the names of the whole file. Raises ProfileError for the first that is wrong."""

    def wrong(path: str, what: str) -> ProfileError:
        return ProfileError(f"{source}: {path}: {what}")

    if not written.pods:
        raise wrong("pods", "no pods: nothing would be probed; declare one, {eth0: NETWORK}")
    for problem in (*_overlaps(written), *_unknown_networks(written)):
        raise wrong(*problem)
    rules = []
    for index, entry in enumerate(written.reachability.rules):
        sides = {}
        for side, value in (("from", entry.from_), ("to", entry.to)):
            try:
                sides[side] = _resolve(written, value)
            except ValueError as exc:
                raise wrong(f"reachability.rules.{index}.{side}", str(exc)) from exc
        rules.append(_rule(entry, sides, wrong, index))
    return Profile(
        name=written.metadata.name,
        networks=written.networks,
        pods=written.pods,
        default=written.reachability.default,
        rules=tuple(rules),
        source=source,
    )
