"""What a page shows at one moment: read from the stores on a thread, kept, and drawn again while they do not answer."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from clickstream.serving.progress import Reading


class Head(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    now: int
    problem: str | None
    """Why the stores were not read just now."""
    read_at: int | None
    updated_at: int | None
    """When a worker last wrote its progress."""
    complete_to: int | None


def head(title: str, seen: Reading | None, now_ms: int, problem: str | None) -> Head:
    return Head(
        title=title,
        now=now_ms,
        problem=problem,
        read_at=None if seen is None else seen.read_at,
        updated_at=None if seen is None else seen.updated_at,
        complete_to=None if seen is None else seen.completeness.complete_to,
    )


Draw = Callable[[Head], msgspec.Struct]
"""Everything that the page shows under a head, to be encoded as one JSON object."""


class Picture(Protocol):
    """Of one page. Its readings never overlap."""

    def blank(self, head: Head) -> msgspec.Struct:
        """Before the first reading."""

    def read(self, seen: Reading) -> Draw:
        """Ask the stores; raises what the read models raise, and then what was drawn last stands."""
