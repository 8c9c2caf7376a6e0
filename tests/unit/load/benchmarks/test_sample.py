"""The events that the benchmarks send and fold."""

from __future__ import annotations

import json

from clickstream import events
from clickstream.load.benchmarks.harness.sample import batches, daemon_lines, sample_events, shop_events


def test_a_shops_events_are_the_ones_that_load_run_sends() -> None:
    sample = shop_events(500, rate=100.0)

    times = [event.occurred_at for event in sample]
    assert len({event.event_id for event in sample}) == 500
    assert times == sorted(times)
    assert 4_000 < times[-1] - times[0] < 6_000
    assert 320 < sum(len(events.encode(event)) for event in sample) / len(sample) < 370


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
