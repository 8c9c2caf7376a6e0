"""What a page shows at one moment: read on one thread, drawn on another, and sent to every page of the kind."""

from __future__ import annotations

from typing import Protocol

import msgspec

from serving.progress import FleetView


class Picture(Protocol):
    """Keeps what was last read, to have something to show while a store is away or slow."""

    def read(self, now_ms: int) -> None:
        """Ask the stores; raises what the read models raise, and then the last picture stands."""

    def picture(self, now_ms: int, problem: str | None = None) -> bytes:
        """Everything the page shows, as one JSON object; ``problem`` says why the stores were not read just now."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What every page says at its top."""

    title: str
    now: int
    problem: str | None
    read_at: int | None
    updated_at: int | None
    """When any worker said something last."""
    complete_to: int | None


def head(title: str, fleet: FleetView, now_ms: int, problem: str | None) -> Head:
    return Head(
        title=title,
        now=now_ms,
        problem=problem,
        read_at=fleet.read_at or None,
        updated_at=fleet.updated_at,
        complete_to=fleet.completeness.complete_to,
    )
