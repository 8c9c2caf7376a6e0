"""The benchmarks by id, and what is made smaller in a quick run."""

from __future__ import annotations

from collections.abc import Mapping

#: id → "module:function" that builds it
BENCHMARKS = {
    "pipe": "clickstream.load.benchmarks.codec.pipe:benchmark",
    "pipe-single": "clickstream.load.benchmarks.codec.pipe:single",
    "decode": "clickstream.load.benchmarks.codec.decode:benchmark",
    "decode-own": "clickstream.load.benchmarks.codec.own_types:benchmark",
    "aggregate": "clickstream.load.benchmarks.codec.aggregation:aggregate",
    "deaggregate": "clickstream.load.benchmarks.codec.aggregation:deaggregate",
    "fold": "clickstream.load.benchmarks.folding.fold:benchmark",
    "fold-fraud": "clickstream.load.benchmarks.folding.fold:fraud",
    "fold-recommendations": "clickstream.load.benchmarks.folding.fold:recommendations",
    "short": "clickstream.load.benchmarks.folding.short:benchmark",
    "overhead": "clickstream.load.benchmarks.folding.overhead:benchmark",
    "overhead-kcl": "clickstream.load.benchmarks.folding.overhead_kcl:benchmark",
    "publish": "clickstream.load.benchmarks.publishing.publish:benchmark",
    "fill": "clickstream.load.benchmarks.publishing.fill:benchmark",
    "low-traffic": "clickstream.load.benchmarks.publishing.low_traffic:benchmark",
    "recommend": "clickstream.load.benchmarks.recommending.in_process:benchmark",
    "recommend-serenade": "clickstream.load.benchmarks.recommending.in_process:serenade",
    "recommend-api": "clickstream.load.benchmarks.recommending.over_http:benchmark",
    "java": "clickstream.load.benchmarks.workers.beside_java:benchmark",
    "end-to-end": "clickstream.load.benchmarks.workers.end_to_end:benchmark",
    "latency": "clickstream.load.benchmarks.workers.latency:benchmark",
    "footprint": "clickstream.load.benchmarks.workers.footprint:benchmark",
    "cold-start": "clickstream.load.benchmarks.workers.starts:cold_start",
    "takeover": "clickstream.load.benchmarks.workers.starts:takeover",
    "growth-users": "clickstream.load.benchmarks.folding.growth:users",
    "growth-windows": "clickstream.load.benchmarks.folding.growth:windows",
    "growth-shards": "clickstream.load.benchmarks.folding.growth:shards",
}
#: id → what its function is called with in a quick run: 27 benchmarks in four to five minutes on two quiet cores.
QUICK: Mapping[str, Mapping[str, float]] = {
    "pipe": {"warm_up": 2, "counted": 6},
    "pipe-single": {"warm_up": 2, "counted": 6},
    "overhead-kcl": {"warm_up": 2, "counted": 6},
    "publish": {"warm_up": 20_000, "counted": 60_000},
    "fill": {"warm_up_s": 1.0, "counted_s": 2.0},
    "low-traffic": {"count": 20},
    "recommend": {"sessions": 100_000},
    "recommend-serenade": {"sessions": 100_000, "build_s": 5.0},
    "recommend-api": {"sessions": 100_000, "counted_s": 2.0},
    "java": {"warm_up": 30_000, "counted": 30_000},
    "end-to-end": {"warm_up": 40_000, "counted": 40_000, "applications": 1},
    "latency": {"counted_s": 2.0},
    "takeover": {"kills": 1},
    "growth-users": {"large": 20_000},
    "growth-shards": {"large": 4, "drained": 16_000},
}
