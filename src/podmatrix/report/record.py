"""The run record: `report.json`, schema podmatrix.report/1. Fields are only added within a version.

Besides what readers look at it holds the observations themselves, so that a saved run can be judged
again with another profile or a later podmatrix.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from podmatrix.coverage import proves_nothing
from podmatrix.errors import RecordError
from podmatrix.model import (
    Attachment,
    JudgedCell,
    JudgedFact,
    Mode,
    Observations,
    Outcome,
    PreflightResult,
    Verdict,
)

SCHEMA = "podmatrix.report/1"
RECORD_FILE = "report.json"

WRONG = frozenset({Verdict.FAIL, Verdict.FLAKY, Verdict.BROKEN})
"""Verdicts that make a run not "as declared"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What kind of run it was. `started` is RFC 3339; `target` is `lab` or `kubeconfig`."""

    id: str
    started: str
    duration_s: float
    target: str
    server_version: str
    profile: str
    podmatrix: str
    complete: bool
    profile_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Everything of a run that is not as declared: fail, flaky or broken."""

    cells: tuple[JudgedCell, ...]
    layout: tuple[JudgedFact, ...]
    preflight: tuple[PreflightResult, ...]

    def __bool__(self) -> bool:
        return bool(self.cells or self.layout or self.preflight)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run, judged. Cells and facts stand in the order of the plan."""

    run: RunInfo
    observations: Observations
    preflight: tuple[PreflightResult, ...]
    layout: tuple[JudgedFact, ...]
    cells: tuple[JudgedCell, ...]

    @property
    def proves_nothing(self) -> str:
        """Why this run proves nothing; empty where it proves something."""
        return proves_nothing(self.cells)

    @property
    def summary(self) -> dict[str, int]:
        """Counts of cells by verdict. `not_run` counts outcomes, which have verdicts as well."""
        verdicts = Counter(judged.verdict for judged in self.cells)
        outcomes = Counter(judged.observation.outcome for judged in self.cells)
        return {
            "cells": len(self.cells),
            **{verdict.value: verdicts[verdict] for verdict in Verdict},
            "not_run": outcomes[Outcome.NOT_RUN],
        }


def wrong(record: RunRecord) -> Wrong:
    """What of a run is not as declared. False (as a bool) where everything is."""
    return Wrong(
        cells=tuple(judged for judged in record.cells if judged.verdict in WRONG),
        layout=tuple(judged for judged in record.layout if judged.verdict in WRONG),
        preflight=tuple(
            result for result in record.preflight if result.verdict in WRONG and not result.skipped
        ),
    )


def dump(record: RunRecord) -> dict[str, Any]:
    """The record as plain JSON data."""
    networks = _networks(record.cells)
    return {
        "schema": SCHEMA,
        "run": asdict(record.run),
        "nodes": [
            {"slot": node.slot, "name": node.name, "internal_ip": node.internal_ip}
            for node in record.observations.nodes
        ],
        "preflight": [
            {
                "check": result.check,
                "verdict": result.verdict.value,
                "detail": result.detail,
                "skipped": result.skipped,
            }
            for result in record.preflight
        ],
        "layout": [_dump_fact(judged) for judged in record.layout],
        "cells": [_dump_cell(judged, networks) for judged in record.cells],
        "diagnosis": [],
        "summary": record.summary,
        "proves_nothing": record.proves_nothing,
        "observations": _plain(record.observations),
    }


def save(record: RunRecord, directory: Path) -> Path:
    """Write `report.json` into `directory`, whole or not at all. Raises RecordError."""
    path = directory / RECORD_FILE
    write_whole(path, json.dumps(dump(record), indent=1, allow_nan=False) + "\n")
    return path


def write_whole(path: Path, text: str) -> None:
    """Write a file so that no reader ever sees a part of it. Raises RecordError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as exc:
        raise RecordError(f"{path}: cannot be written, {exc}; give a --matrix-report-dir") from exc
    finally:
        # Still there only where it could not be put in place; nothing is where the folder is not.
        with suppress(OSError):
            temporary.unlink()


def load_observations(path: Path) -> tuple[RunInfo, Observations]:
    """Read back what a saved run saw. Raises RecordError: what is wrong, and where in the file."""
    document = _read(path)
    schema = document.get("schema")
    if schema != SCHEMA:
        raise RecordError(
            f"{path}: schema is {schema!r}, not {SCHEMA!r}; "
            "give a report.json of this version of podmatrix"
        )
    try:
        info = _RUN_INFO.validate_python(document.get("run"))
        observations = _OBSERVATIONS.validate_python(document.get("observations"))
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        where = ".".join([str(part) for part in first["loc"]]) or "run or observations"
        raise RecordError(
            f"{path}: {where}: {first['msg']}; the record was cut or changed, take another one"
        ) from exc
    return info, observations


_RUN_INFO = TypeAdapter(RunInfo)
_OBSERVATIONS = TypeAdapter(Observations)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise RecordError(f"{path}: cannot be read, {exc}; give a report.json") from exc
    except ValueError as exc:
        raise RecordError(
            f"{path}: is not whole JSON, {exc}; the record was cut, take another one"
        ) from exc
    if not isinstance(document, dict):
        raise RecordError(f"{path}: holds no run record; give a report.json")
    return document


def _plain(observations: Observations) -> object:
    """As JSON data; a number that JSON does not have (NaN) becomes null."""
    text = json.dumps(_OBSERVATIONS.dump_python(observations, mode="json"))
    return json.loads(text, parse_constant=lambda _: None)


def _networks(cells: Iterable[JudgedCell]) -> dict[tuple[str, str | None], str | None]:
    """(pod kind, interface) -> network: every attachment of the plan is some cell's destination."""
    destinations = [judged.cell.destination for judged in cells]
    return {(end.kind, end.interface): end.network for end in destinations}


def _dump_fact(judged: JudgedFact) -> dict[str, Any]:
    fact = judged.fact
    return {
        "kind": fact.kind,
        "slot": fact.slot,
        "interface": fact.interface,
        "check": fact.check,
        "expected": judged.expected,
        "observed": judged.observed,
        "verdict": judged.verdict.value,
        "detail": judged.detail,
    }


def _dump_cell(
    judged: JudgedCell, networks: Mapping[tuple[str, str | None], str | None]
) -> dict[str, Any]:
    cell, observation = judged.cell, judged.observation
    interface, network = cell.source.interface, cell.source.network
    if cell.mode is Mode.NATURAL:
        # What the pod's routes chose, not what the plan took for granted.
        interface = observation.source_interface
        network = networks.get((cell.source.kind, interface))
    rtt_ms = observation.rtt_ms
    return {
        "id": cell.id,
        "mode": cell.mode.value,
        "family": cell.family,
        "control": cell.control,
        "source": _dump_end(cell.source, interface, network, observation.source_address),
        "destination": _dump_end(
            cell.destination,
            cell.destination.interface,
            cell.destination.network,
            observation.destination_address,
        ),
        "probe": cell.probe.value,
        "expected": judged.expectation.expect.value,
        "reason": judged.expectation.reason,
        "observed": observation.outcome.value,
        "verdict": judged.verdict.value,
        "why": judged.why,
        "attempts": observation.attempts,
        "sent": observation.sent,
        "received": observation.received,
        "rtt_ms": rtt_ms if rtt_ms is not None and math.isfinite(rtt_ms) else None,
        "detail": observation.detail,
        "repeat": observation.repeat,
    }


def _dump_end(
    end: Attachment, interface: str | None, network: str | None, address: str | None
) -> dict[str, Any]:
    return {
        "kind": end.kind,
        "slot": end.slot,
        "interface": interface,
        "network": network,
        "address": address,
    }
