"""The archive beside the events that were sent: each is in one row of one file that readers look at. Pure.

A file named for chunks 4 to 12 of a shard and an hour takes the place of those that hold any of them alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b

from clickstream.load.verdict.comparers.compared import Compared, some
from clickstream.load.verdict.send_log import Entry

#: Of a fingerprint.
BYTES = 8
_KEY = re.compile(r"(?P<place>date=[^/]+/hour=[^/]+/[^/.]+)\.(?P<first>\d+)-(?P<last>\d+)\.parquet")
Row = tuple[str, str]
"""Event id and user id, which together tell an event from all others."""


def fingerprint(event_id: str, user_id: str) -> bytes:
    return blake2b(f"{user_id}\0{event_id}".encode(), digest_size=BYTES).digest()


def fingerprints(rows: Iterable[Row]) -> bytes:
    return b"".join(sorted(fingerprint(*row) for row in rows))


def parted(entries: Iterable[Entry], fingerprints: bytes) -> tuple[list[Entry], list[Entry]]:
    """Those that have one of the fingerprints, and the others."""
    known = _apart(fingerprints)
    parts: tuple[list[Entry], list[Entry]] = [], []
    for entry in entries:
        parts[fingerprint(entry.event.event_id, entry.event.user_id) not in known].append(entry)
    return parts


def _apart(fingerprints: bytes) -> set[bytes]:
    return {fingerprints[at : at + BYTES] for at in range(0, len(fingerprints), BYTES)}


def looked_at(keys: Iterable[str]) -> list[str]:
    """Of all objects, the files whose chunks no wider file of the same place holds too."""
    files = {key: found for key in keys if (found := _KEY.fullmatch(key)) is not None}
    spans = {key: (found["place"], int(found["first"]), int(found["last"])) for key, found in files.items()}
    by_place: dict[str, list[tuple[int, int]]] = {}
    for place, first, last in spans.values():
        by_place.setdefault(place, []).append((first, last))
    return [
        key
        for key, (place, first, last) in spans.items()
        if not any(a <= first and last <= b and (a, b) != (first, last) for a, b in by_place[place])
    ]


def compare(fingerprints: bytes, rows: Iterable[Row], *, is_first: bool) -> Compared:
    """``is_first``: nothing was archived before the run; otherwise rows that are not of it are left out."""
    expected = _apart(fingerprints)
    found: Counter[bytes] = Counter()
    extra: list[str] = []
    others = 0
    for event_id, user_id in rows:
        row = fingerprint(event_id, user_id)
        if row not in expected and not is_first:
            others += 1
            continue
        found[row] += 1
        if row not in expected or found[row] > 1:
            extra.append(ascii(event_id)[1:-1])
    missing = len(expected - found.keys())
    compared = Compared(compared=len(expected), lost=missing, duplicated=len(extra))
    if others:
        compared.left_out["rows of events of others"] = others
    if missing:
        compared.problems.append(f"archive lost {missing:,} of {len(expected):,} events")
    if extra:
        compared.problems.append(f"archive has {len(extra):,} rows too many, or of nobody's events: {some(extra)}")
    return compared
