import pytest

from podmatrix.lab.apiserver.ages import age, human_duration
from podmatrix.lab.apiserver.objects import parse_time

HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (174, "2m54s"),
        (600, "10m"),
        (179 * 60, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 60, "3h1m"),
        (8 * HOUR, "8h"),
        (2 * DAY, "2d"),
        (2 * DAY + HOUR, "2d1h"),
        (8 * DAY, "8d"),
        (730 * DAY, "2y"),
        (800 * DAY, "2y70d"),
        (8 * 365 * DAY, "8y"),
    ],
)
def test_durations_are_written_as_by_kubectl(seconds: int, expected: str) -> None:
    assert human_duration(seconds) == expected


def test_an_age_counts_from_a_timestamp() -> None:
    assert age("2026-01-01T00:00:00Z", parse_time("2026-01-01T00:01:30Z")) == "90s"


def test_no_timestamp_has_no_age() -> None:
    assert age(None, parse_time("2026-01-01T00:00:00Z")) == "<unknown>"
