"""Times as people type them: ``2026-11-24T10:00Z``, ``2026-11-24``, ``now``, ``2h ago``, ``30m``, milliseconds. Pure."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from clickstream.errors import UserMistake

Clock = Callable[[], int]
"""Milliseconds: since the epoch, or of a monotonic clock."""

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_YEAR_9999_MS = 253_370_764_800_000
_AGO = re.compile(r"(\d+)\s*([smhd])(?:\s+ago)?")


def parse_moment(text: str, now_ms: int) -> int:
    """Milliseconds since the epoch, which is also what plain digits mean. A time without a zone is UTC. Raises UserMistake."""
    text = text.strip()
    if text == "now":
        return now_ms
    try:
        if text.isdecimal():
            return _known(int(text))
        if ago := _AGO.fullmatch(text):
            return _known(now_ms - int(ago[1]) * _UNITS_MS[ago[2]])
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserMistake(
            f"not a time: {text[:64]!r}", hint="use ISO 8601 (2026-11-24T10:00Z), now, or an age such as 2h ago"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def _known(at_ms: int) -> int:
    """Within the years that a date can have; raises ValueError."""
    if not 0 <= at_ms < _YEAR_9999_MS:
        raise ValueError(at_ms)
    return at_ms


def iso(at_ms: int) -> str:
    """``2026-11-24T10:00:00Z``; milliseconds only where there are any."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}" + (f".{at_ms % 1000:03d}Z" if at_ms % 1000 else "Z")
