"""``GET /metrics``: every application on every shard for Prometheus, from the shards table; no worker opens a port for it."""

from collections.abc import Iterable, Iterator

from hdrh.histogram import HdrHistogram
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clickstream.consumers.analytics.views import Aggregates, ShardProgress
from clickstream.errors import ClickstreamError
from clickstream.serving.moments import Clock
from clickstream.telemetry import prometheus
from clickstream.telemetry.metrics import BOUNDS, SHARD_COUNTERS, Histogram, Sample


def route(views: Aggregates, clock: Clock) -> Route:
    """The route; a store that does not answer is a metric, not an error: the others' absence is told by ``stores_up``."""

    async def metrics(_: Request) -> Response:
        try:
            samples = [Sample("clickstream_stores_up", 1), *of_shards(await run_in_threadpool(views.progress), clock())]
        except ClickstreamError:
            samples = [Sample("clickstream_stores_up", 0)]
        return Response(prometheus.render(samples), media_type=prometheus.CONTENT_TYPE)

    return Route("/metrics", metrics)


def of_shards(rows: Iterable[ShardProgress], now_ms: int) -> Iterator[Sample]:
    """What each row tells. A shard that nobody is to read any more keeps its counters, and has no lag."""
    for row in rows:
        labels = (row.application, row.shard)
        for metric, field in SHARD_COUNTERS.items():
            yield Sample(metric, getattr(row, field), labels)
        if row.latency:
            yield Sample("clickstream_effect_latency_seconds", histogram(HdrHistogram.decode(row.latency)), labels)
        if not row.is_read:
            continue
        yield Sample("clickstream_worker_deaths", row.deaths, labels)
        if (lag_ms := row.lag_ms(now_ms)) is not None:
            yield Sample("clickstream_behind_seconds", lag_ms / 1000, labels)
        if row.updated_at:
            yield Sample("clickstream_progress_age_seconds", max(0, now_ms - row.updated_at) / 1000, labels)
        if row.watermark_ms:
            yield Sample("clickstream_watermark_age_seconds", max(0, now_ms - row.watermark_ms) / 1000, labels)
        if row.owner:
            yield Sample("clickstream_shard_owner", 1, (*labels, row.owner))
        for dependency in sorted(row.breakers):
            yield Sample("clickstream_breaker_open", 1, (*labels, dependency))
        if row.waiting:
            yield Sample("clickstream_forbidden", 1, (*labels, str(row.waiting["action"]), str(row.waiting["resource"])))


def histogram(latencies: HdrHistogram) -> Histogram:
    """Milliseconds as cumulative buckets of seconds."""
    recorded = [
        (entry.value_iterated_to / 1000, entry.count_added_in_this_iter_step) for entry in latencies.get_recorded_iterator()
    ]
    buckets = tuple((bound, sum(count for seconds, count in recorded if seconds <= bound)) for bound in BOUNDS)
    return Histogram(buckets, int(latencies.get_total_count()), sum(seconds * count for seconds, count in recorded))
