from __future__ import annotations

import pytest

from clickstream.errors import UserMistake
from clickstream.serving.moments import iso, parse_moment

NOW_MS = 1_795_564_800_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW_MS),
        ("90s ago", NOW_MS - 90_000),
        ("2h ago", NOW_MS - 7_200_000),
        ("30m", NOW_MS - 1_800_000),
        ("1 d ago", NOW_MS - 86_400_000),
        ("2026-11-25", NOW_MS),
        ("2026-11-25T00:00Z", NOW_MS),
        ("2026-11-25T01:00:00+01:00", NOW_MS),
        ("2026-11-25 00:00:00.250", NOW_MS + 250),
        (str(NOW_MS), NOW_MS),
    ],
)
def test_times_as_people_type_them(text: str, expected: int) -> None:
    assert parse_moment(text, NOW_MS) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2h later", "2026-13-01", "-5m"])
def test_what_is_no_time_gets_a_hint(text: str) -> None:
    with pytest.raises(UserMistake) as mistake:
        parse_moment(text, NOW_MS)
    assert "ISO 8601" in mistake.value.hint


def test_iso_shows_milliseconds_only_where_there_are_any() -> None:
    assert iso(NOW_MS) == "2026-11-25T00:00:00Z"
    assert iso(NOW_MS + 7) == "2026-11-25T00:00:00.007Z"
