"""The POSIX sh script that one exec runs inside a source pod. Text only, nothing is run here.

It prints one line per fact, each written at once (parallel writers do not mix lines below 4 KB) and
each beginning with `@TOKEN`, a word that is new in every run:

    addr LINE, get LINE                      ip -j addr (or ip addr), ip route get
    route FAMILY LINE, routes FAMILY STATUS  ip -4 route and ip -6 route, and how each ended
    g GROUP TRY t COMMAND                    a tool is tried on a group of targets
    g GROUP TRY n|p LINE                     fping on the silent addresses, on all others
    g GROUP TRY n|y|p ADDRESS STATUS TEXT    ping on one silent, answering or wanted address
    g GROUP end STATUS                       0: the last try was calibrated
    end STATUS                               nothing was cut off

A tool is calibrated by the sweep itself, same flags, same moment: addresses that must answer (the
pod's own) and such that must not (TEST-NET-1) are pinged along, the latter with one
packet (every node on the way sends only a few ICMP errors a second). The shell only decides whether
the next tool is tried; whether a tool is believed is decided by who reads this.

fping without privileges loses every reply unless its source is bound (it waits for an ICMP id that
the kernel's ping socket rewrites), so the source is named where the pod has only one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from podmatrix.errors import ProbeError

SILENT = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Nobody answers there: TEST-NET-1 (RFC 5737) and the documentation prefix (RFC 3849)."""

LOOPBACK = {4: "127.0.0.1", 6: "::1"}

SILENT_WAIT_MS = 100
"""fping waits this long for the address that must not answer: a tool that makes replies up does so
at once, and a longer wait would be the longest part of a healthy sweep."""

COMMAND_LINE_MAX = 100_000
"""Bytes; Linux takes 128 KiB in one argument (MAX_ARG_STRLEN)."""

# $1 runs under a deadline of its own: a cut exec leaves its process running.
_OUTER = 'command -v timeout >/dev/null && exec timeout "$1" /bin/sh -c "$2"; exec /bin/sh -c "$2"'

# e prints lines; f tries fping, p a ping (0: calibrated, 1: not, 2: refused its flags or cannot
# start), h runs one ping, c a copy of ping, b busybox; g does one group with the first that holds.
# iputils ping refuses short intervals to ordinary users before 20210722; its copy has lost its
# file capabilities, with which it cannot start where CAP_NET_RAW is out of reach.
_FUNCTIONS = r"""
set -f
export LC_ALL=C
L='
'
e() { IFS=$L; for l in $2; do printf '%s\n' "@$T $1 $l"; done; unset IFS; }
f() {
command -v fping >/dev/null || return 1
k=$((k+1)) b="g $G $k"
e "$b t" "fping $*"
(
o=$(fping "$@" -C 1 -t $N $X 2>&1 >/dev/null)
e "$b n" "$o"
case $o in *': '[0-9]*) exit 1;; *': -'*);; *) exit 1;; esac
) & x=$!
o=$(fping "$@" -t $W $Y $A 2>&1 >/dev/null)
e "$b p" "$o"
wait $x || return 1
case $o in *'[<-'*) return 1;; esac
for a in $Y; do
q=1; IFS=$L; for l in $o; do case $l in "$a "*': '[0-9]*) q=0;; esac; done; unset IFS
[ $q = 0 ] || return 1
done
}
h() {
[ $1 != n ] || set -- n $2 '-c 1'
o=$($Q $3 $2 2>&1); r=$?
z="@$T $b $1 $2 $r"
IFS=$L; set -- $o; IFS='|'; printf '%s\n' "$z $*"
return $r
}
p() {
k=$((k+1)) b="g $G $k" Q="$*" x= y= i=0
e "$b t" "$Q"
for a in $X; do h n $a & x="$x $!"; done
for a in $Y; do h y $a & y="$y $!"; done
q=0
for a in $y; do wait $a; r=$?; [ $r -lt 2 ] || r=2; [ $r -le $q ] || q=$r; done
if [ $q = 0 ]; then
y=
for a in $A; do
h p $a & y="$y $!" i=$((i+1))
[ $((i%J)) != 0 ] || { for a in $y; do wait $a; done; y=; }
done
for a in $y; do wait $a; done
fi
for a in $x; do wait $a && [ $q = 0 ] && q=1; done
return $q
}
c() {
o=$(command -v ping) && d=$(mktemp -d 2>/dev/null) || return 1
cp "$o" $d/ping && p $d/ping "$@"; q=$?
rm -f $d/ping; rmdir $d
return $q
}
b() {
case $("$@" --help 2>&1) in *'-i SEC'*) p "$@" -i $M $R;; *) p "$@" $R;; esac
}
g() {
G=$1 D=$2 S=$3 Y=$4 X=$5 A=$6 k=0
B=${D:+-I $D} F="-C $C -i 1 -p $P $B ${S:+-S $S}" R="-c $C -W $V $B"
s=0
f $F || case $(ping -V 2>&1) in
*usy[Bb]ox*) b ping; s=$?;;
*)
s=2
for i in $M 0.2; do [ $s -lt 2 ] || { p ping -n -i $i $R; s=$?; }; done
for i in $M 0.2; do [ $s -lt 2 ] || { c -n -i $i $R; s=$?; }; done
[ $s = 0 ] || ! command -v busybox >/dev/null || { b busybox ping; s=$?; };;
esac
e "g $G" "end $s"
}
""".strip()

_LAYOUT = r"""
o=$(ip -j addr 2>/dev/null) || o=$(ip addr 2>&1); e addr "$o"
for v in 4 6; do o=$(ip -$v route 2>&1); r=$?; e "route $v" "$o"; e "routes $v" $r; done
""".strip()

# busybox has no -batch.
_LOOKUPS = r"""
o=$(for a in $R; do printf 'route get %s\n' $a; done | ip -o -force -batch - 2>/dev/null)
[ "$o" ] || o=$(for a in $R; do ip -o route get $a 2>/dev/null; done); e get "$o"
""".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Targets that one run of a tool can ping together.

    `interface` None: natural. `own`: the address of this pod that must answer (bound: that of
    `interface`). `only_source`: the pod has no other address, so naming the source forces nothing.
    """

    interface: str | None
    family: int
    own: str
    addresses: tuple[str, ...]
    only_source: bool = False

    @property
    def answering(self) -> tuple[str, ...]:
        """What must answer. Bound to another interface, the loopback address must not."""
        return (self.own,) if self.interface else (LOOPBACK[self.family], self.own)

    @property
    def silent(self) -> tuple[str, ...]:
        """What must not answer; bound, the loopback address shows that the binding is obeyed."""
        silent = SILENT[self.family]
        return (silent, LOOPBACK[self.family]) if self.interface else (silent,)

    @property
    def wanted(self) -> tuple[str, ...]:
        """What is pinged beside those: an address is never named twice to one tool."""
        return tuple(address for address in self.addresses if address not in self.answering)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How a cell is probed: packets, milliseconds, and how many pings run at once in one pod."""

    count: int = 3
    period_ms: int = 30
    wait_ms: int = 1000
    parallel: int = 24


def script_argv(
    groups: Sequence[Group],
    *,
    token: str,
    deadline_s: float,
    sending: Sending,
    layout: bool = False,
    lookups: Sequence[str] = (),
) -> tuple[str, ...]:
    """The command line for one exec. Raises ProbeError for an address or name that is none."""
    wait_s = -(-sending.wait_ms // 1000)
    lines = [
        f"T={token} C={sending.count} P={sending.period_ms} M={sending.period_ms / 1000:g}"
        f" W={sending.wait_ms} V={wait_s} N={SILENT_WAIT_MS} J={sending.parallel}",
        _FUNCTIONS,
    ]
    if layout:
        lines.append(_LAYOUT)
    if lookups:
        lines += [f"R='{_addresses(lookups)}'", _LOOKUPS]
    lines += [f"{_call(number, group)} &" for number, group in enumerate(groups)]
    lines += ["wait", 'e end "$?"']
    deadline = str(max(1, round(deadline_s)))
    return ("/bin/sh", "-c", _OUTER, "sh", deadline, "\n".join(lines))


def chunks(group: Group, size: int = 4000) -> tuple[Group, ...]:
    """The same group in pieces whose addresses stay far below COMMAND_LINE_MAX."""
    starts = range(0, len(group.addresses), size) or range(1)
    return tuple(
        Group(
            interface=group.interface,
            family=group.family,
            own=group.own,
            addresses=group.addresses[start : start + size],
            only_source=group.only_source,
        )
        for start in starts
    )


def _call(number: int, group: Group) -> str:
    if group.interface and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", group.interface):
        raise ProbeError(f"{group.interface!r} is no name of an interface")
    source = group.own if group.only_source or group.interface else ""
    lists = [_addresses(part) for part in (group.answering, group.silent, group.wanted)]
    return f"g {number} '{group.interface or ''}' '{source}' " + " ".join(f"'{x}'" for x in lists)


def _addresses(addresses: Sequence[str]) -> str:
    """Joined for the shell; nothing but addresses gets into a command line."""
    try:
        return " ".join(_normal(address) for address in addresses)
    except ValueError as exc:
        raise ProbeError(f"cannot be probed, {exc}") from exc


@lru_cache(maxsize=8192)
def _normal(address: str) -> str:
    return str(ip_address(address))
