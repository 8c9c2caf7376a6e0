from __future__ import annotations

from clickstream.serving.moments import iso

NOW_MS = 1_795_564_800_000


def test_iso_shows_milliseconds_only_where_there_are_any() -> None:
    assert iso(NOW_MS) == "2026-11-25T00:00:00Z"
    assert iso(NOW_MS + 7) == "2026-11-25T00:00:00.007Z"
