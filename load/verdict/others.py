"""A stream that was not empty: others' events stand in the same windows as one's own, and may be the same events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pandas as pd
from msgspec import UNSET

from clickstream.aws import Clients
from clickstream.errors import Rejected
from clickstream.events import AnyEvent, admit, decode
from clickstream.load.traffic.faults import AHEAD_MS
from clickstream.load.verdict import derivation, frames, oracle
from clickstream.load.verdict.comparers import archived
from clickstream.load.verdict.comparers.aggregates import GRANULARITIES, Truth, Window, differences
from clickstream.load.verdict.ledger import Ledger
from clickstream.load.verdict.send_log import Entry
from clickstream.records.aggregation import user_records
from clickstream.records.blocks import events_in
from clickstream.records.following import follow
from clickstream.records.reading import TRIM_HORIZON, Start
from clickstream.records.routing import hash_key
from clickstream.settings import Settings

#: Events of others that are judged together with one's own; they and the frames made of them take 1.7 kB each.
MOST_EVENTS = 250_000


class Among(msgspec.Struct, frozen=True):
    """What must come of one's own events among others'."""

    truth: Truth
    own: int
    """Of one's own, those that count; the others came before."""
    counted: int
    """All events that count."""


def on_stream(
    clients: Clients, settings: Settings, start: Start = TRIM_HORIZON, *, most: int = MOST_EVENTS
) -> list[Entry] | None:
    """What analytics is given of all that the stream still holds, in the order of arrival; None: more than ``most``.

    Raises Missing, RetryLater.
    """
    found: list[Entry] = []
    for batch in follow(clients.kinesis, settings.stream, start, forever=False):
        for record in batch.records:
            arrived_ms = int(record["ApproximateArrivalTimestamp"].timestamp() * 1000)
            found += [
                Entry(arrived_ms, event)
                for event in _events(record, arrived_ms)
                if hash_key(event.user_id) in batch.shard.hash_range and event.redriven_for in (UNSET, "analytics")
            ]
        if len(found) > most:
            return None
    return sorted(found, key=lambda entry: entry.sent_ms)


def are_all(entries: Sequence[Entry], counted: int, from_ms: int) -> bool:
    """Whether analytics had counted these, perhaps without those that came from ``from_ms`` on: none has left the stream."""
    counts = ~oracle.repeated(frames.frame_of(derivation.rows(entries)))
    late = sum(entry.sent_ms >= from_ms for entry in entries)
    return int(counts.sum()) - late <= counted <= int(counts.sum())


def since(clients: Clients, settings: Settings, started_ms: int, fingerprints: bytes) -> list[Entry] | None:
    """What others sent from ``started_ms`` on; one's own have ``fingerprints``. None: too many."""
    start = Start("AT_TIMESTAMP", datetime.fromtimestamp(started_ms / 1000, UTC))
    entries = on_stream(clients, settings, start, most=MOST_EVENTS + len(fingerprints) // archived.BYTES)
    return None if entries is None else archived.parted(entries, fingerprints)[1]


def count(entries: Sequence[Entry] | None) -> int:
    return MOST_EVENTS if entries is None else len(entries)


def windows(times: Iterable[int]) -> frozenset[Window]:
    """Those that hold events of these times."""
    times = set(times)
    return frozenset(Window(name, at // width * width) for name, width in GRANULARITIES.items() for at in times)


def _events(record: dict[str, Any], arrived_ms: int) -> Iterator[AnyEvent]:
    members = [(key, data) for key, _, data in user_records(record["PartitionKey"], record["Data"])]
    if len(members) == 1:
        lines = events_in(members[0][1])
        # a line among others has no key of its own
        members = [(members[0][0] if len(lines) == 1 else "", line) for _, line in lines]
    for key, data in members:
        with suppress(Rejected):
            event = decode(data)
            admit(event, key or event.user_id, arrived_ms)
            yield event


def among(others: Sequence[Entry], own: pd.DataFrame, starts: Sequence[int] = ()) -> Among:
    """``starts`` of the shards' hash ranges, as for the oracle."""
    events = pd.concat([frames.frame_of(derivation.rows(others)), own], ignore_index=True).sort_values("arrived", kind="stable")
    counts = ~oracle.repeated(events)
    truth = Truth(windows=oracle.aggregate(events, starts), not_followed=oracle.not_followed(events, starts))
    return Among(truth, int(counts[counts.index >= len(others)].sum()), int(counts.sum()))


def truth(ledger: Ledger, on_stream: Sequence[Entry] | None, counted: int) -> Truth:
    """What a run's windows must be on a stream that others use too.

    ``counted``: what analytics has counted of all that ever was on the stream.
    """
    own = {row.window: row.totals for row in ledger.windows}
    # some may have left it: they may be in what began before the run, or before the fastest clocks of an earlier one
    past = frozenset(w for w in own if not ledger.began_alone and w.start_ms < ledger.started_ms + AHEAD_MS)
    if on_stream is None:
        return Truth(windows=own, foreign=frozenset(own) if ledger.others else past)
    mine, strange = archived.parted(on_stream, ledger.archived)
    whole = among(strange, frames.frame_of(derivation.rows(mine)))
    if (whole.counted, whole.own) != (counted, ledger.events):
        meanwhile = windows(entry.event.occurred_at for entry in strange if entry.sent_ms >= ledger.started_ms)
        return Truth(windows=own, foreign=past | meanwhile)
    return Truth(windows=own) if differences(own, derivation.windows(mine)) else whole.truth
