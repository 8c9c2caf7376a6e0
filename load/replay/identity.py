"""What files of other systems lack: event ids and sessions. Functions of the lines: a second replay sends the same."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from clickstream.identifiers import ENTROPY_BITS, uuid7

SESSION_GAP_S = 30 * 60


def event_id(number: int, line: bytes, occurred_at: int) -> str:
    """Of a line and its number: equal lines are different events, and the same file again is the same events again."""
    digest = int.from_bytes(blake2b(b"%d:%b" % (number, line), digest_size=16).digest(), "big")
    return uuid7(occurred_at, digest >> (128 - ENTROPY_BITS))


class _Visit(msgspec.Struct):
    last_s: float
    session: int


class Sessions:
    """A visitor's events belong to one session until a gap of more than 30 minutes, in the order of the file."""

    def __init__(self) -> None:
        self._visits: dict[str, _Visit] = {}

    def of(self, user: str, seconds: float) -> str:
        visit = self._visits.get(user)
        if visit is None:
            visit = self._visits[user] = _Visit(seconds, 1)
        elif seconds - visit.last_s > SESSION_GAP_S:
            visit.session += 1
        visit.last_s = seconds
        return f"{user}-{visit.session}"
