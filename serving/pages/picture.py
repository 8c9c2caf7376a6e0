"""What a page shows at one moment: read from the stores on a thread, kept, and shown again while they do not answer."""

from collections.abc import Collection
from typing import Protocol

import msgspec

from clickstream.serving.progress import Reading, silent


class Head(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    now: int
    problem: str | None
    """Why the stores were not read just now."""
    read_at: int | None
    updated_at: int | None
    """When the shard last told its progress whose last word is oldest; None where no shard is read."""
    complete_to: int | None
    silent: dict[str, int]
    """Applications with a silent shard → the longest silence (ms)."""
    absent: list[str]
    """Applications that have never run here."""


def head(title: str, seen: Reading | None, applications: Collection[str], now_ms: int, problem: str | None) -> Head:
    """``applications``: whose figures the page shows, see :class:`Picture`."""
    rows = [] if seen is None else seen.of(applications)
    return Head(
        title=title,
        now=now_ms,
        problem=problem,
        read_at=None if seen is None else seen.read_at,
        updated_at=min((row.updated_at for row in rows if row.is_read and row.updated_at), default=None),
        complete_to=None if seen is None else seen.complete_to(applications),
        silent=silent(rows, now_ms),
        absent=sorted(set(applications).difference(row.application for row in rows)),
    )


def encoded(head: Head, shown: msgspec.Struct | None) -> bytes:
    """As one JSON object; of nothing but the head before the first reading."""
    fields = () if shown is None else shown.__struct_fields__
    return msgspec.json.encode({"head": head, **{name: getattr(shown, name) for name in fields}})


class Picture(Protocol):
    """Of one page. Its readings never overlap."""

    @property
    def applications(self) -> Collection[str]:
        """Those that make its figures: the page is as fresh as they are. Empty: all."""

    def read(self, seen: Reading) -> msgspec.Struct:
        """What the page shows; raises what the read models raise, and then what was read last stands."""
