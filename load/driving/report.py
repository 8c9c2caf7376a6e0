"""What a run came to: one sender's work, or several senders' as one, text to people, machines and HdrHistogram's tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogWriter

from clickstream.load.driving.driver import empty
from clickstream.load.verdict.send_log import SendLog, merged

#: Latencies are kept by intervals of this length (s).
INTERVAL_S = 1.0


class RunReport(msgspec.Struct, kw_only=True):
    """What one or several senders did. Latencies: intended send time to acknowledgement, µs, HDR-encoded; per second too."""

    log: SendLog
    latency: bytes
    seconds: list[bytes]
    put: int
    refused: int
    failed: int
    reason: str = ""
    """Why the first record that failed did."""
    interrupted: bool = False


def joined(parts: Sequence[RunReport]) -> RunReport:
    """Several senders' work as one."""
    latency = empty()
    for part in parts:
        latency.add(HdrHistogram.decode(part.latency))
    seconds: list[bytes] = []
    for second in range(max(len(part.seconds) for part in parts)):
        together = empty()
        for part in parts:
            if second < len(part.seconds):
                together.add(HdrHistogram.decode(part.seconds[second]))
        seconds.append(together.encode())
    return RunReport(
        log=merged([part.log for part in parts]),
        latency=latency.encode(),
        seconds=seconds,
        put=sum(part.put for part in parts),
        refused=sum(part.refused for part in parts),
        failed=sum(part.failed for part in parts),
        reason=next((part.reason for part in parts if part.reason), ""),
        interrupted=any(part.interrupted for part in parts),
    )


def summary(sent: RunReport) -> Mapping[str, object]:
    """For --json; times in milliseconds."""
    latency = HdrHistogram.decode(sent.latency)
    return {
        "sent": sent.log.sent,
        "put": sent.put,
        "refused": sent.refused,
        "failed": sent.failed,
        "events": sent.log.events,
        "retries": sent.log.kinds.get("retry", 0),
        "late": sent.log.kinds.get("late", 0),
        "malformed": sent.log.kinds.get("malformed", 0),
        "kinds": sent.log.kinds,
        "ack_p50_ms": latency.get_value_at_percentile(50) / 1000,
        "ack_p99_ms": latency.get_value_at_percentile(99) / 1000,
        "ack_p999_ms": latency.get_value_at_percentile(99.9) / 1000,
        "ack_max_ms": latency.get_max_value() / 1000,
        "interrupted": sent.interrupted,
    }


def text(sent: RunReport) -> str:
    """The summary for a person."""
    latency = HdrHistogram.decode(sent.latency)
    failures = f"; {sent.failed:,} NOT delivered: {sent.reason}" if sent.failed else ""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(sent.log.kinds.items(), key=lambda each: -each[1]))
    p50, p99, p999 = (latency.get_value_at_percentile(percentile) / 1000 for percentile in (50, 99, 99.9))
    return (
        f"sent {sent.log.sent:,} records, {sent.put:,} acknowledged, {sent.refused:,} refused{failures}\n"
        f"of them {kinds}\n"
        f"from intended send time to acknowledgement: p50 {p50:.0f} ms, p99 {p99:.0f} ms, p99.9 {p999:.0f} ms, "
        f"max {latency.get_max_value() / 1000:.0f} ms"
    )


def write_hdr_log(path: Path, sent: RunReport, started_ms: int) -> None:
    """One interval a second in the format that HdrHistogram's tools read; values are microseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        log = HistogramLogWriter(file)
        log.output_comment("[intended send time to acknowledgement, microseconds]")
        log.output_log_format_version()
        log.output_legend()
        for second, encoded in enumerate(sent.seconds):
            at_s = started_ms / 1000 + second * INTERVAL_S
            log.output_interval_histogram(HdrHistogram.decode(encoded), at_s, at_s + INTERVAL_S, 1_000.0)
