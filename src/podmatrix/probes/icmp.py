"""What one exec in a source pod showed: the layout, the routes, and a reply per target.

A group of targets is believed only where the tool that pinged it was calibrated in the same moment:
it saw every packet answered by the pod's own addresses and none by TEST-NET-1. Everything else is
`not_run` with the reason.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from podmatrix.errors import ProbeError
from podmatrix.model import Completed, Outcome
from podmatrix.probes.fping import parse_fping
from podmatrix.probes.ping import parse_ping
from podmatrix.probes.reply import Reply, not_run
from podmatrix.probes.script import Group, Sending

SILENCE = frozenset({Outcome.UNREACHABLE, Outcome.REJECTED})
"""What TEST-NET-1 may show; no route to it is silence, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReplies:
    """Replies by address, and the command that was believed; empty where none was."""

    tool: str
    replies: Mapping[str, Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodOutput:
    """One exec, read: lines of `ip addr` and `ip route get`; groups in their order.

    `routes`: lines of `ip route` by family, without a family that it could not tell.
    """

    addr: tuple[str, ...]
    routes: Mapping[int, tuple[str, ...]]
    lookups: tuple[str, ...]
    groups: tuple[GroupReplies, ...]


@dataclass
class _Try:
    """One tool on one group, as printed: lines by role, or (status, line) by role and address."""

    command: str
    lines: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def tool(self) -> str:
        """The command; a copy lies in a directory with a random name."""
        return re.sub(r"^/\S+/ping", "copy of ping", self.command)

    @property
    def is_fping(self) -> bool:
        return self.command.startswith("fping ")


@dataclass
class _GroupLines:
    tries: dict[str, _Try] = field(default_factory=dict)
    end: str = ""


def read_output(
    completed: Completed, groups: Sequence[Group], *, token: str, sending: Sending
) -> PodOutput:
    """Read what the script of script_argv() printed.

    Raises ProbeError where it did not come to its end, or where the answer is cut.
    """
    lines = _own_lines(completed.stdout, token)
    if lines[-1:] != ["end 0"]:
        raise ProbeError(_no_end(completed))
    sections: dict[str, list[str]] = defaultdict(list)
    printed: dict[int, _GroupLines] = defaultdict(_GroupLines)
    for line in lines[:-1]:
        section, _, rest = line.partition(" ")
        if section == "g":
            _file(rest, printed)
        else:
            sections[section].append(rest)
    return PodOutput(
        addr=tuple(sections["addr"]),
        routes=_routes(sections["route"], sections["routes"]),
        lookups=tuple(sections["get"]),
        groups=tuple(
            _judge_group(group, printed[number], sending) for number, group in enumerate(groups)
        ),
    )


def _own_lines(stdout: str, token: str) -> list[str]:
    prefix = f"@{token} "
    return [line.removeprefix(prefix) for line in stdout.splitlines() if line.startswith(prefix)]


def _no_end(completed: Completed) -> str:
    said = " ".join((completed.stderr or completed.stdout).split())[-200:]
    status = "never came" if completed.returncode is None else f"is {completed.returncode}"
    return f"the probe script did not reach its end; exit status {status}" + (
        f", last words: {said}" if said else ""
    )


def _file(line: str, printed: Mapping[int, _GroupLines]) -> None:
    """Sort `GROUP TRY ROLE LINE` or `GROUP end STATUS` in. Raises ProbeError."""
    number, _, rest = line.partition(" ")
    word, _, rest = rest.partition(" ")
    if not number.isdecimal():
        raise ProbeError(f"the probe script printed a line that cannot be read: {line}")
    group = printed[int(number)]
    if word == "end":
        group.end = rest
        return
    role, _, text = rest.partition(" ")
    if role == "t":
        group.tries[word] = _Try(command=text.strip())
    elif word in group.tries:
        group.tries[word].lines[role].append(text)
    else:
        raise ProbeError(f"the probe script printed a line that cannot be read: {line}")


def _routes(lines: Iterable[str], endings: Iterable[str]) -> dict[int, tuple[str, ...]]:
    """`FAMILY LINE` and `FAMILY STATUS` -> the lines of each family that ended well."""
    told: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        family, _, text = line.partition(" ")
        told[family].append(text)
    return {
        int(family): tuple(told[family])
        for family, _, status in (line.partition(" ") for line in endings)
        if family.isdecimal() and status == "0"
    }


def _judge_group(group: Group, printed: _GroupLines, sending: Sending) -> GroupReplies:
    tries = list(printed.tries.values())
    reasons = [_calibration(group, one, sending) for one in tries]
    if printed.end == "0" and tries and not reasons[-1]:
        replies = _replies(group, tries[-1], "p", group.wanted, sending)
        replies |= _answering(group, tries[-1], sending)
        wanted = {address: replies[address] for address in group.addresses}
        return GroupReplies(tool=tries[-1].tool, replies=wanted)
    told = dict.fromkeys(
        f"{one.tool.split(' -')[0]}: {reason}" for one, reason in zip(tries, reasons, strict=True)
    )
    why = (
        f"no tool passed its calibration in this pod: {'; '.join(told) or 'none was tried'}; "
        "an image with fping or iputils ping cures it (--matrix-image)"
    )
    return GroupReplies(tool="", replies=dict.fromkeys(group.addresses, not_run(why)))


def _calibration(group: Group, one: _Try, sending: Sending) -> str:
    """Why the tool is not believed; empty where it is."""
    try:
        silent = _replies(group, one, "n", group.silent, replace(sending, count=1))
        heard = _answering(group, one, sending)
    except ProbeError as exc:
        return str(exc)
    for address, reply in heard.items():
        if reply.outcome is not Outcome.REACHABLE:
            return f"does not see {address}: {reply.detail}"
    for address, reply in silent.items():
        if reply.outcome not in SILENCE:
            return f"sees {address}, where nobody is: {reply.detail or reply.outcome}"
    return ""


def _answering(group: Group, one: _Try, sending: Sending) -> dict[str, Reply]:
    return _replies(group, one, "p" if one.is_fping else "y", group.answering, sending)


def _replies(
    group: Group, one: _Try, role: str, addresses: Iterable[str], sending: Sending
) -> dict[str, Reply]:
    """Raises ProbeError where fping's output as a whole cannot be trusted."""
    addresses = tuple(addresses)
    if one.is_fping:
        return parse_fping(one.lines[role], addresses, count=sending.count, own={group.own})
    return {address: _one_ping(address, one.lines[role], group, sending) for address in addresses}


def _one_ping(address: str, lines: Iterable[str], group: Group, sending: Sending) -> Reply:
    mine = [words[1:] for words in (line.split(" ", 2) for line in lines) if words[0] == address]
    if len(mine) != 1 or not mine[0] or not mine[0][0].isdecimal():
        return not_run(f"ping printed {len(mine)} results for {address}, not one")
    status, text = mine[0][0], "".join(mine[0][1:])
    return parse_ping(
        text.split("|"), address, returncode=int(status), count=sending.count, own={group.own}
    )
