"""The stretches of windows that a question, or the page, is about. Pure."""

from __future__ import annotations

from clickstream.errors import UserMistake
from serving.read_model import Granularity

WINDOW_MS: dict[Granularity, int] = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
#: Windows in the answer to a question that names no start.
SPAN: dict[Granularity, int] = {"minute": 60, "hour": 24, "day": 30}
#: One answer holds at most this many windows: a day of minutes.
MOST_WINDOWS = 1440
#: The latest event time there can be: the year 2100.
LATEST_MS = 4_102_444_800_000
#: Data this far behind the clock is a replay of the past, and is shown at its own time.
REPLAY_MS = 3_600_000


def granularity(text: str) -> Granularity:
    """Raises UserMistake."""
    for name in WINDOW_MS:
        if text == name:
            return name
    raise UserMistake(f"no granularity {text!r}", hint="minute, hour or day")


def stretch(kind: Granularity, start_ms: int | None, end_ms: int | None, now_ms: int) -> tuple[int, int]:
    """[start, end) on window boundaries, the window that holds ``now_ms`` included when no end is named.

    Raises UserMistake when it is empty or longer than one answer may be.
    """
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise UserMistake("`from` is not before `to`", hint="both are event times; `to` is exclusive")
    if not all(0 <= moment <= LATEST_MS for moment in (start_ms, end_ms) if moment is not None):
        raise UserMistake("a time out of range", hint="1970 to 2100; plain numbers are milliseconds")
    width = WINDOW_MS[kind]
    end = -(-end_ms // width) * width if end_ms is not None else (now_ms // width + 1) * width
    start = start_ms // width * width if start_ms is not None else max(0, end - SPAN[kind] * width)
    if start >= end:
        raise UserMistake("`from` is in the future", hint="name `to` as well")
    if (end - start) // width > MOST_WINDOWS:
        raise UserMistake(
            f"more than {MOST_WINDOWS} windows in one question", hint="ask for a shorter time, or a coarser granularity"
        )
    return start, end


def anchor(now_ms: int, newest_event_ms: int | None) -> int:
    """The time that counts as now: the clock's, or the data's own when the data are a replay of the past."""
    if newest_event_ms is None or newest_event_ms > now_ms - REPLAY_MS:
        return now_ms
    return newest_event_ms
