"""A run in words: wrong cells and facts, counts, the verdict. The same for terminal and page.

What comes from a cluster is made visible here: no escape sequence of a pod reaches a terminal.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable

from podmatrix.model import Attachment, JudgedCell, JudgedFact, Observation, Outcome, Verdict
from podmatrix.report.record import RunRecord, wrong

# Cc: control, Cf: invisible format (text direction), Cs: half a surrogate pair, Zl and Zp: breaks.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def visible(text: object) -> str:
    """The text on one line; what could steer a terminal is written as an escape like `\\x1b`."""
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in _INVISIBLE
        else char
        for char in str(text)
    )


def verdict_line(record: RunRecord) -> str:
    """What the run says as a whole."""
    if record.proves_nothing:
        return f"proves nothing: {visible(record.proves_nothing)}"
    bad = wrong(record)
    if bad:
        counts = {
            "cells": len(bad.cells),
            "layout facts": len(bad.layout),
            "preflight checks": len(bad.preflight),
        }
        return "not as declared: " + ", ".join(f"{n} {what}" for what, n in counts.items() if n)
    return "all as declared" if passed(record) else "cut short before everything was asked"


def passed(record: RunRecord) -> bool:
    """Whether the run shows that everything is as declared."""
    return record.run.complete and not wrong(record) and not record.proves_nothing


def headline(record: RunRecord) -> str:
    """Which run this was."""
    run = record.run
    cut = "" if run.complete else ", cut short"
    return visible(
        f"run {run.id}, {run.target} {run.server_version}, profile {run.profile}, "
        f"{run.started}, {run.duration_s:.1f} s{cut}, podmatrix {run.podmatrix}"
    )


def nodes_line(record: RunRecord) -> str:
    """Which node plays which slot."""
    nodes = record.observations.nodes
    return visible(", ".join(f"{node.slot} = {node.name} {node.internal_ip}" for node in nodes))


def summary_line(record: RunRecord) -> str:
    """Counts of cells, facts and preflight checks."""
    counts = dict(record.summary)
    cells = f"{counts.pop('cells')} cells: " + ", ".join(
        f"{n} {name.replace('_', ' ')}" for name, n in counts.items()
    )
    layout = _counts("layout facts", [judged.verdict for judged in record.layout])
    skipped = sum(result.skipped for result in record.preflight)
    preflight = _counts(
        "preflight checks", [r.verdict for r in record.preflight if not r.skipped]
    ) + (f", {skipped} skipped" if skipped else "")
    return f"{cells}; {layout}; {preflight}"


def _counts(what: str, verdicts: Iterable[Verdict]) -> str:
    counts = Counter(verdicts)
    parts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    return f"{counts.total()} {what}" + (f": {parts}" if parts else "")


def seen(observation: Observation) -> str:
    """What was observed: outcome, packets, rounds, detail."""
    if observation.outcome is Outcome.NOT_RUN:
        words = ["not run"]
    else:
        words = [
            observation.outcome.replace("_", " "),
            f"{observation.received} of {observation.sent} packets answered",
        ]
    if observation.attempts > 1:
        words.append(f"round {observation.attempts}")
    said = ", ".join(words)
    return visible(f"{said}: {observation.detail}" if observation.detail else said)


def cell_lines(judged: JudgedCell) -> list[tuple[str, str]]:
    """One cell spelled out as (word, sentence); what is not known is left out."""
    cell, observation = judged.cell, judged.observation
    source = _end(cell.source, observation.source_interface, observation.source_address)
    destination = _end(cell.destination, None, observation.destination_address)
    # The cause of a probe that was not run already stands in the observation.
    why = "" if observation.detail and observation.detail in judged.why else judged.why
    lines = [
        ("expected", f"{judged.expectation.expect}: {judged.expectation.reason}"),
        ("observed", seen(observation)),
        ("verdict", f"{judged.verdict}, {why}" if why else judged.verdict.value),
        ("from", f"{source}, {cell.mode}"),
        ("to", f"{destination}, {cell.relation}"),
        ("repeat", observation.repeat),
    ]
    return [(word, visible(text)) for word, text in lines if text]


def fact_line(judged: JudgedFact) -> str:
    """One layout fact: expected, observed, why."""
    expected = "" if judged.expected is None else f"expected {judged.expected}, "
    found = "nothing" if judged.observed is None else judged.observed
    detail = f": {judged.detail}" if judged.detail else ""
    if judged.verdict is Verdict.BROKEN:
        return visible(judged.detail)
    return visible(f"{expected}observed {found}{detail}")


def _end(end: Attachment, interface: str | None, address: str | None) -> str:
    parts = (end.pod_id, end.interface or interface, address)
    return " ".join(part for part in parts if part)
