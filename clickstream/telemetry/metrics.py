"""Every metric there is: its name and labels, what it says, and what an operator does about it. Pure.

A name that is not here does not pass the type checker. docs/reference/telemetry.md has the same table; a test compares them.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

Kind = Literal["counter", "gauge", "histogram"]
Unit = Literal["", "seconds", "bytes"]

MetricName = Literal[
    "clickstream_events_total",
    "clickstream_duplicates_total",
    "clickstream_foreign_total",
    "clickstream_dead_letters_total",
    "clickstream_behind_seconds",
    "clickstream_progress_age_seconds",
    "clickstream_watermark_age_seconds",
    "clickstream_effect_latency_seconds",
    "clickstream_breaker_open",
    "clickstream_forbidden",
    "clickstream_shard_owner",
    "clickstream_worker_deaths",
    "clickstream_stores_up",
    "clickstream_collector_requests_total",
    "clickstream_collector_events_total",
    "clickstream_collector_undeclared_total",
    "clickstream_collector_answer_seconds",
    "clickstream_publisher_delivered_total",
    "clickstream_publisher_failed_total",
    "clickstream_publisher_records_total",
    "clickstream_publisher_bytes_total",
    "clickstream_publisher_throttled_total",
    "clickstream_publisher_retried_total",
    "clickstream_publisher_mispredicted_total",
    "clickstream_publisher_reput_total",
    "clickstream_publisher_pending_events",
    "clickstream_publisher_pending_bytes",
    "clickstream_publisher_forbidden",
]

SHARD = ("application", "shard")


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """``says``: what its value means; ``advice``: what to do when it is not what it should be."""

    labels: tuple[str, ...] = ()
    says: str
    advice: str
    is_distribution: bool = False


class Histogram(msgspec.Struct, frozen=True):
    """Cumulative counts: ``buckets`` are (upper bound, how many values are at most that), ascending, without +Inf."""

    buckets: tuple[tuple[float, int], ...]
    count: int
    sum: float


class Sample(msgspec.Struct, frozen=True):
    """One series' value now; ``labels`` in the order in which the metric names them."""

    metric: MetricName
    value: float | Histogram
    labels: tuple[str, ...] = ()


METRICS: dict[MetricName, Metric] = {
    # of a shard
    "clickstream_events_total": Metric(
        labels=SHARD,
        says="events folded: valid, at home on the shard, no duplicates",
        advice="stands still while clickstream_behind_seconds grows: the shard waits; its owner's log says for what",
    ),
    "clickstream_duplicates_total": Metric(
        labels=SHARD,
        says="events dropped because their id was seen in the last minutes",
        advice="a few are producers' retries; a large share: answers to producers are lost, look at the collector",
    ),
    "clickstream_foreign_total": Metric(
        labels=SHARD,
        says="events refused because their key hashes into another shard",
        advice="grows during a reshard only; else a producer uses explicit hash keys",
    ),
    "clickstream_dead_letters_total": Metric(
        labels=SHARD,
        says="records that are no events, kept in the dead-letter queue",
        advice="clickstream dlq list says why; mend the producer or the code, then clickstream dlq redrive",
    ),
    "clickstream_behind_seconds": Metric(
        labels=SHARD,
        says="how old what is not folded yet may be: MillisBehindLatest at the read, time busy and silence since",
        advice="all shards: start a worker, or mend the slow store; one shard: split it; before the retention ends",
    ),
    "clickstream_progress_age_seconds": Metric(
        labels=SHARD,
        says="since the owner's last commit or heartbeat",
        advice="over 60: nobody works on the shard: is a worker alive, does DynamoDB answer it? if it is over, retire it",
    ),
    "clickstream_watermark_age_seconds": Metric(
        labels=SHARD,
        says="since the latest event time that was folded",
        advice="grows with behind at 0: the shop sends nothing to this shard; look at the collector and its clients",
    ),
    "clickstream_effect_latency_seconds": Metric(
        is_distribution=True,
        labels=SHARD,
        says="put to visible effect, sampled, since the shard's process started",
        advice="p99 over 1.5 with behind at 0: the store is slow; look at its latency and at breakers",
    ),
    "clickstream_breaker_open": Metric(
        labels=(*SHARD, "dependency"),
        says="1 while an AWS service is not asked because it failed five times in a row",
        advice="mend that service; the shard waits, loses nothing, and goes on by itself",
    ),
    "clickstream_forbidden": Metric(
        labels=(*SHARD, "action", "resource"),
        says="1 while the shard waits because AWS does not allow it an action on a resource, or a key is away",
        advice="give the permission, key or resource back; the shard loses nothing, and goes on by itself",
    ),
    "clickstream_shard_owner": Metric(
        labels=(*SHARD, "owner"),
        says="1 for the worker that owns the shard",
        advice="changes at deploys and takeovers; changing by itself: workers die, look for 'the worker died'",
    ),
    "clickstream_worker_deaths": Metric(
        labels=SHARD,
        says="how often the shard's worker ended by itself since the shard last moved",
        advice="2 or more: the shard cannot start; its worker's log says why in the lines before 'the worker died'",
    ),
    "clickstream_stores_up": Metric(
        says="whether this server could read the shards table just now",
        advice="0: every other shard metric is missing; DynamoDB, its endpoint and credentials",
    ),
    # of the collector
    "clickstream_collector_requests_total": Metric(
        labels=("status",),
        says="requests for /v1/events by HTTP status",
        advice="429: a client is over its rate; 503: the stream does not take all, see the publisher's; 4xx: a client is wrong",
    ),
    "clickstream_collector_events_total": Metric(
        labels=("outcome",),
        says="events answered: accepted, rejected, or retry",
        advice="rejected grows: a client's release sends what is no event; the answers say what is wrong",
    ),
    "clickstream_collector_undeclared_total": Metric(
        says="events with properties that no type declares, which are not kept",
        advice="the answers name them: declare them (own-events.md), or mend the client's spelling",
    ),
    "clickstream_collector_answer_seconds": Metric(
        is_distribution=True,
        says="from a request's head to its answer, acknowledgement by Kinesis included",
        advice="grows with throttled: split shards; grows alone: the collector is out of CPU, start another",
    ),
    # of its publisher
    "clickstream_publisher_delivered_total": Metric(
        says="events that Kinesis has in their own shard",
        advice="nothing; the others are measured against it",
    ),
    "clickstream_publisher_failed_total": Metric(
        says="events given up after their time to live, and reported to who sent them",
        advice="the stream does not take them in time: is it up, has it enough shards?",
    ),
    "clickstream_publisher_records_total": Metric(
        says="Kinesis records accepted; delivered over records is the events per record",
        advice="near 1 event per record under load: events travel alone, and the shards' 1,000 records a second are the limit",
    ),
    "clickstream_publisher_bytes_total": Metric(
        says="data of those records",
        advice="near 1 MB/s per open shard: split",
    ),
    "clickstream_publisher_throttled_total": Metric(
        says="records refused because a shard was over its limits",
        advice="more than 1 % of records: split the hot shard (clickstream shards list)",
    ),
    "clickstream_publisher_retried_total": Metric(
        says="records put again after a refusal or a failed call",
        advice="without throttled: the network or Kinesis fails",
    ),
    "clickstream_publisher_mispredicted_total": Metric(
        says="records that came to another shard than predicted: the stream was resharded",
        advice="nothing during a reshard",
    ),
    "clickstream_publisher_reput_total": Metric(
        says="events put again because a reshard overtook their record",
        advice="nothing during a reshard",
    ),
    "clickstream_publisher_pending_events": Metric(
        says="events accepted and not yet acknowledged by Kinesis",
        advice="stays high: the stream takes less than comes; split, or the clients will get 503",
    ),
    "clickstream_publisher_pending_bytes": Metric(
        says="their memory",
        advice="at the buffer's bound the collector answers 503",
    ),
    "clickstream_publisher_forbidden": Metric(
        labels=("action", "resource"),
        says="1 while Kinesis refuses the collector for a permission, a key, its credentials, or a stream that is not there",
        advice="give back what the labels name; nothing is lost meanwhile, clients are answered 503 and repeat",
    ),
}

#: Of a shard's progress: counter → the field that holds it (:class:`clickstream.progress.shards_table.ShardProgress`).
SHARD_COUNTERS: Mapping[MetricName, str] = {
    "clickstream_events_total": "events",
    "clickstream_duplicates_total": "duplicates",
    "clickstream_foreign_total": "foreign",
    "clickstream_dead_letters_total": "dead_letters",
}

#: Upper bounds, in seconds, of every histogram: from a store's round trip to an outage.
BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


def kind(name: MetricName) -> Kind:
    """By Prometheus's convention for names, as is the unit."""
    return "counter" if name.endswith("_total") else "histogram" if METRICS[name].is_distribution else "gauge"


def unit(name: MetricName) -> Unit:
    stem = name.removesuffix("_total")
    return "seconds" if stem.endswith("_seconds") else "bytes" if stem.endswith("_bytes") else ""
