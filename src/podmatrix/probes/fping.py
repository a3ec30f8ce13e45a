"""Reads `fping -C N` (5.x): its standard error has a line per target, errors and duplicates above.

    ICMP Network Unreachable from 10.1.0.1 for ICMP Echo sent to 10.9.0.1

    10.2.0.2  : 0.17 0.02 0.03
    10.2.0.3  : - - -

fping counts a reply from another address as an answer and says ` [<- 10.2.0.3]` without naming the
target (src/fping.c, wait_for_reply): such output cannot be attributed and is refused as a whole.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence

from podmatrix.errors import ProbeError
from podmatrix.probes.reply import IcmpError, Reply, conclude, not_run

_ERROR = re.compile(r"ICMP (?P<what>.+) from (?P<sender>\S+) for ICMP Echo sent to (?P<to>\S+)")
_DUPLICATE = re.compile(r"(?P<to>\S+)\s+: duplicate for \[\d+\], \d+ bytes, [\d.]+ ms")
_TARGET = re.compile(r"(?P<to>\S+)\s+: ?(?P<times>(?:(?:-|\d+(?:\.\d+)?)\s*)*)")
_OTHER_SOURCE = "[<-"


def parse_fping(
    lines: Sequence[str], addresses: Collection[str], *, count: int, own: Collection[str] = ()
) -> dict[str, Reply]:
    """Read one run; each of `addresses` gets a reply, `not_run` where its line is not to be read.

    Raises ProbeError where the output as a whole cannot be trusted.
    """
    found: dict[str, list[str]] = defaultdict(list)
    errors: dict[str, list[IcmpError]] = defaultdict(list)
    duplicates: dict[str, int] = defaultdict(int)
    for line in lines:
        if _OTHER_SOURCE in line:
            raise ProbeError(f"fping: replies came from other addresses than were pinged: {line}")
        if match := _ERROR.fullmatch(line):
            errors[match["to"]].append(IcmpError(what=match["what"], sender=match["sender"]))
        elif match := _DUPLICATE.fullmatch(line):
            duplicates[match["to"]] += 1
        elif match := _TARGET.fullmatch(line):
            found[match["to"]].append(match["times"])
        elif line.strip():
            raise ProbeError(f"fping: {line}")
    return {
        address: _reply(address, found[address], count, errors[address], own, duplicates[address])
        for address in addresses
    }


def _reply(
    address: str,
    written: Sequence[str],
    count: int,
    errors: Sequence[IcmpError],
    own: Collection[str],
    duplicates: int,
) -> Reply:
    if len(written) != 1:
        return not_run(f"fping printed {len(written)} lines for {address}, not one")
    times = written[0].split()
    if len(times) != count:
        return not_run(f"fping told of {len(times)} packets to {address}, not of {count}")
    rtts_ms = [float(time) for time in times if time != "-"]
    return conclude(sent=count, rtts_ms=rtts_ms, errors=errors, own=own, duplicates=duplicates)
