"""Times as people and programs write them, and the stretches of windows that a question asks for."""

from __future__ import annotations

from datetime import UTC, datetime

from clickstream.errors import UserMistake
from serving.read_model import Granularity

WINDOW_MS: dict[Granularity, int] = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
#: Windows in the answer to a question that names no start.
SPAN: dict[Granularity, int] = {"minute": 60, "hour": 24, "day": 30}
#: One answer holds at most this many windows: a day of minutes.
MOST_WINDOWS = 1440
#: Data this far behind the clock is a replay of the past, and is shown at its own time.
REPLAY_MS = 3_600_000


def granularity(text: str) -> Granularity:
    """Raises UserMistake."""
    for name in WINDOW_MS:
        if text == name:
            return name
    raise UserMistake(f"no granularity {text!r}", hint="minute, hour or day")


def instant(text: str) -> int:
    """Milliseconds since the epoch from such a number, or from ISO 8601 (UTC unless it names an offset).

    Raises UserMistake.
    """
    try:
        if text.lstrip("-").isdigit():
            moment = int(text)
        else:
            parsed = datetime.fromisoformat(text)
            moment = round((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise UserMistake(f"not a time: {text!r}", hint="2026-11-24T13:00:00Z, or milliseconds since the epoch") from error
    if not 0 <= moment <= 4_102_444_800_000:
        raise UserMistake(f"a time out of range: {text!r}", hint="1970 to 2100; numbers are milliseconds, not seconds")
    return moment


def stretch(kind: Granularity, start_ms: int | None, end_ms: int | None, now_ms: int) -> tuple[int, int]:
    """[start, end) on window boundaries, the window that holds ``now_ms`` included when no end is named.

    Raises UserMistake when it is empty or longer than one answer may be.
    """
    width = WINDOW_MS[kind]
    end = -(-end_ms // width) * width if end_ms is not None else (now_ms // width + 1) * width
    start = start_ms // width * width if start_ms is not None else max(0, end - SPAN[kind] * width)
    if start >= end:
        raise UserMistake("`from` is not before `to`", hint="both are event times; `to` is exclusive")
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
