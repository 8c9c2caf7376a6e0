"""A stream that was not empty: others' events stand in the same windows as one's own, and may be the same events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
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
from clickstream.load.verdict.comparers.aggregates import Totals, Window, differences
from clickstream.load.verdict.ledger import Ledger
from clickstream.load.verdict.send_log import Entry
from clickstream.records.aggregation import user_records
from clickstream.records.blocks import events_in
from clickstream.records.following import follow
from clickstream.records.reading import TRIM_HORIZON
from clickstream.records.routing import hash_key
from clickstream.settings import Settings


class Among(msgspec.Struct, frozen=True):
    """What must come of one's own events among others'."""

    windows: Mapping[Window, Totals]
    own: int
    """Of one's own, those that count; the others came before."""
    counted: int
    """All events that count."""


def on_stream(clients: Clients, settings: Settings) -> list[Entry]:
    """What analytics is given of all that the stream still holds, in the order of arrival. Raises Missing, RetryLater."""
    found = [
        Entry(arrived_ms, event)
        for batch in follow(clients.kinesis, settings.stream, TRIM_HORIZON, forever=False)
        for record in batch.records
        if (arrived_ms := int(record["ApproximateArrivalTimestamp"].timestamp() * 1000))
        for event in _events(record, arrived_ms)
        if hash_key(event.user_id) in batch.shard.hash_range and event.redriven_for in (UNSET, "analytics")
    ]
    return sorted(found, key=lambda entry: entry.sent_ms)


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


def among(others: Sequence[Entry], own: pd.DataFrame) -> Among:
    events = pd.concat([frames.frame_of(derivation.rows(others)), own], ignore_index=True).sort_values("arrived", kind="stable")
    counts = ~oracle.repeated(events)
    return Among(oracle.aggregate(events), int(counts[counts.index >= len(others)].sum()), int(counts.sum()))


def truth(ledger: Ledger, on_stream: Sequence[Entry], counted: int) -> tuple[Mapping[Window, Totals], frozenset[Window]]:
    """What a run's windows must be on a stream that was not empty, and which of them cannot be told.

    ``counted``: what analytics has counted of all that ever was on the stream.
    """
    own = {row.window: row.totals for row in ledger.windows}
    mine, strange = archived.parted(on_stream, ledger.archived)
    whole = among(strange, frames.frame_of(derivation.rows(mine)))
    if (whole.counted, whole.own) != (counted, ledger.events):
        # some have left it: they may be in what began before the run, or before the fastest clocks of an earlier one
        return own, frozenset(window for window in own if window.start_ms < ledger.started_ms + AHEAD_MS)
    return own if differences(own, derivation.windows(mine)) else whole.windows, frozenset()
