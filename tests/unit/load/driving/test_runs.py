"""What a run leaves: senders' accounts as one, a summary, a log that HdrHistogram's tools read, one line while it goes on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from clickstream.load.driving.driver import empty
from clickstream.load.driving.progress_line import Progress, line
from clickstream.load.driving.report import RunReport, joined, summary, text, write_hdr_log
from clickstream.load.traffic.plan import Plan
from clickstream.load.verdict.send_log import SendLog

T0 = 1_700_000_000_000


def _sent(plan: Plan, *latencies_us: int) -> RunReport:
    log, histogram = SendLog(), empty()
    for offset_us, emission in plan.emissions(T0):
        log.record(emission, T0 + offset_us // 1000)
    for latency in latencies_us:
        histogram.record_value(latency)
    encoded = histogram.encode()
    return RunReport(log=log, latency=encoded, seconds=[encoded, empty().encode()], put=len(latencies_us), refused=1, failed=0)


def test_several_senders_are_told_as_one_and_travel_between_processes() -> None:
    parts = [_sent(part, 1_000, 2_000) for part in Plan(rate=200, duration_s=5, seed=2).split(2)]
    decoded = [msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=RunReport) for part in parts]

    sent = joined(decoded)

    assert decoded == parts
    assert sent.log.sent == sum(part.log.sent for part in parts)
    assert [entry.sent_ms for entry in sent.log.entries] == sorted(entry.sent_ms for entry in sent.log.entries)
    assert (sent.put, sent.refused) == (4, 2)
    assert HdrHistogram.decode(sent.latency).get_total_count() == 4
    assert HdrHistogram.decode(sent.seconds[0]).get_total_count() == 4


def test_the_parts_of_a_plan_are_the_whole_at_the_same_rate_with_other_people() -> None:
    plan = Plan(rate=2_000, duration_s=3, seed=2, max_records=10_001)
    logs = [_sent(part).log for part in plan.split(3)]
    users = [{entry.event.user_id for entry in log.entries} for log in logs]

    assert sum(log.sent for log in logs) == pytest.approx(6_000, rel=0.05)
    assert not users[0] & users[1]
    assert sum(part.max_records for part in plan.split(3)) >= plan.max_records


def test_a_plan_is_the_same_records_for_the_same_seed_and_start() -> None:
    plan = Plan(rate=500, duration_s=2, seed=9, profile="black-friday")

    assert list(plan.emissions(T0)) == list(plan.emissions(T0))
    assert list(plan.emissions(T0)) != list(msgspec.structs.replace(plan, seed=10).emissions(T0))


def test_the_summary_has_latencies_in_milliseconds_and_counts_by_kind() -> None:
    sent = _sent(Plan(rate=500, duration_s=2), *([10_000] * 99), 50_000)

    assert summary(sent)["ack_p50_ms"] == pytest.approx(10, rel=0.01)
    assert summary(sent)["ack_max_ms"] == pytest.approx(50, rel=0.01)
    assert summary(sent)["sent"] == sent.log.sent
    assert "100 acknowledged, 1 refused" in text(sent)
    sent.failed, sent.reason = 2, "it was down"
    assert "2 NOT delivered: it was down" in text(sent)


def test_the_log_is_read_by_hdr_histograms_own_reader(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "latency.hlog"

    write_hdr_log(path, _sent(Plan(rate=100, duration_s=1), 1_000, 2_000), T0)

    reader = HistogramLogReader(str(path), empty())
    try:
        first, second = reader.get_next_interval_histogram(), reader.get_next_interval_histogram()
    finally:
        reader.input_file.close()
    assert first.get_total_count() == 2
    assert first.get_start_time_stamp() == T0
    assert second.get_total_count() == 0


def test_the_line_says_how_far_it_is() -> None:
    assert line(Progress(5_000, 4_900, 48_000), 2.5, 2_001.4, 10_000) == (
        "   2.5 s   50%  5,000 sent (2,001/s)  4,900 acknowledged  p99 48 ms"
    )
