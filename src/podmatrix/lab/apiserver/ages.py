"""Durations as kubectl prints them: k8s.io/apimachinery/pkg/util/duration.HumanDuration."""

from datetime import datetime

from podmatrix.lab.apiserver.objects import parse_time


def human_duration(seconds: float) -> str:
    """For example `2m54s`, `5h`, `3d2h`; the finer part is left out as it loses meaning."""
    if seconds < 0:
        return "<invalid>" if seconds < -1 else "0s"
    whole = int(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 2920:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def age(since: str | None, at: datetime) -> str:
    """The time since a timestamp, `<unknown>` where there is none."""
    if not since:
        return "<unknown>"
    return human_duration((at - parse_time(since)).total_seconds())


def _two(coarse: int, coarse_unit: str, fine: int, fine_unit: str) -> str:
    return f"{coarse}{coarse_unit}{fine}{fine_unit}" if fine else f"{coarse}{coarse_unit}"
