"""The events that the benchmarks send and fold."""

from __future__ import annotations

import json

from clickstream import events
from load.benchmarks.harness.sample import batches, daemon_lines, sample_events
from load.benchmarks.publishing import fill


def test_the_sample_of_fill_is_of_valid_events_of_one_size() -> None:
    sample = fill.sample()

    assert {len(data) for _, data in sample} == {fill.EVENT_BYTES}
    assert all(events.decode(data).user_id == user for user, data in sample[:: len(sample) // 50])


def test_late_events_come_out_of_order_and_cross_a_minute() -> None:
    prompt = [event.occurred_at for event in sample_events(1_000, before_the_minute_ms=250)]
    late = [event.occurred_at for event in sample_events(1_000, before_the_minute_ms=250, late_ms=100)]

    assert prompt == sorted(prompt)
    assert late != sorted(late)
    assert len({time // 60_000 for time in late}) == 2


def test_daemon_lines_hold_each_event_once() -> None:
    sample = sample_events(25)
    lines = [json.loads(line) for line in daemon_lines(sample, per_batch=10)]

    assert [len(line["records"]) for line in lines] == [10, 10, 5]
    assert [record["partitionKey"] for line in lines for record in line["records"]] == [event.user_id for event in sample]


def test_batches_are_what_the_daemon_lines_hold() -> None:
    sample = sample_events(25)

    read = [events.decode(record.data) for batch in batches(daemon_lines(sample, per_batch=10)) for record in batch.records]

    assert read == sample
