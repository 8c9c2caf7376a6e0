"""What goes between people and us: times as they type them, and text from outside as a terminal may see it. Pure."""

import re
from datetime import UTC, datetime

from clickstream.envelope import EARLIEST_MS, LATEST_MS
from clickstream.errors import UserMistake

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_AGO = re.compile(r"(\d+)\s*([smhd])(?:\s+ago)?")


def parse_moment(text: str, now_ms: int) -> int:
    """``2026-11-24T10:00Z``, ``2026-11-24``, ``now``, ``2h ago``, ``30m``, or milliseconds: as milliseconds since the epoch.

    A time without a zone is UTC. Raises UserMistake, also for what lies outside of the years 1970 to 2100.
    """
    text = text.strip()
    try:
        if text == "now":
            return now_ms
        if text.isdecimal():  # a smaller number: seconds, or a date without its hyphens
            at_ms = int(text) if int(text) >= EARLIEST_MS else -1
        elif ago := _AGO.fullmatch(text):
            at_ms = now_ms - int(ago[1]) * _UNITS_MS[ago[2]]
        else:
            moment = datetime.fromisoformat(text)
            at_ms = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except ValueError:
        at_ms = -1
    if not 0 <= at_ms <= LATEST_MS:
        numbers = "milliseconds since the epoch, from the year 2000 on"
        hint = f"1970 to 2100, as ISO 8601 (2026-11-24T10:00Z), now, an age such as 2h ago, or {numbers}"
        raise UserMistake(f"not a time: {text[:64]!r}", hint=hint)
    return at_ms


def shown(text: str) -> str:
    """One line, of which nothing moves the cursor, rings, colours or turns the line round.

    What is not printable is written as JSON writes it, so JSON stays the same JSON.
    """
    return text if text.isprintable() else "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
