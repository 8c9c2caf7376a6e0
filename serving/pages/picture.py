"""What a page shows at one moment: read from the stores on a thread, kept, and shown again while they do not answer."""

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


def encoded(head: Head, shown: msgspec.Struct | None) -> bytes:
    """As one JSON object; of nothing but the head before the first reading."""
    fields = () if shown is None else shown.__struct_fields__
    return msgspec.json.encode({"head": head, **{name: getattr(shown, name) for name in fields}})


class Picture(Protocol):
    """Of one page. Its readings never overlap."""

    def read(self, seen: Reading) -> msgspec.Struct:
        """What the page shows; raises what the read models raise, and then what was read last stands."""
