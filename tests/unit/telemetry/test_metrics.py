"""Metrics: a registry that says what to do, and two renderings judged by readers that are not ours."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from clickstream.consumers.analytics.views import ShardProgress
from clickstream.serving.metrics import histogram, of_shards
from clickstream.telemetry import emf, prometheus
from clickstream.telemetry.metrics import BOUNDS, METRICS, Histogram, MetricName, Sample, kind, unit

ROOT = Path(__file__).parents[3]
NOW = 1_790_000_000_000


def test_every_name_is_defined_once_with_advice() -> None:
    assert set(METRICS) == set(get_args(MetricName))
    for name, metric in METRICS.items():
        assert re.fullmatch(r"clickstream_[a-z_]+", name)
        assert metric.says
        assert metric.advice
        assert name.endswith("_total") == (kind(name) == "counter"), "Prometheus's convention"
        if told := unit(name):
            assert told in name


def test_the_documentation_lists_every_metric_and_no_other() -> None:
    told = set(re.findall(r"`(clickstream_[a-z_]+)`", (ROOT / "docs" / "reference" / "telemetry.md").read_text()))
    assert told == set(METRICS)


def _parsed(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """By sample name, then labels; as Prometheus's own parser reads it."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


@given(
    owner=st.text(max_size=20),
    value=st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 2**60).map(float),
)
def test_any_label_and_value_survives_prometheus(owner: str, value: float) -> None:
    text = prometheus.render([Sample("clickstream_shard_owner", value, ("fraud", "shard-1", owner))])
    (series,) = _parsed(text)["clickstream_shard_owner"].items()
    assert dict(series[0]) == {"application": "fraud", "shard": "shard-1", "owner": owner}
    assert series[1] == value


def _row(**fields: object) -> ShardProgress:
    return ShardProgress(**{"application": "fraud", "shard": "shard-1", **fields})  # type: ignore[arg-type]  # a test's table


def test_a_silence_is_lag_until_it_is_meant() -> None:
    silent = _row(events=7, behind_ms=0, updated_at=NOW - 91_000)
    assert list(_parsed(prometheus.render(of_shards([silent], NOW)))["clickstream_behind_seconds"].values()) == [91]
    retired = _row(events=7, behind_ms=0, updated_at=NOW - 91_000, retired_at=NOW)
    found = _parsed(prometheus.render(of_shards([retired], NOW)))
    assert list(found["clickstream_events_total"].values()) == [7]
    assert not found.keys() & {"clickstream_behind_seconds", "clickstream_progress_age_seconds"}


def test_a_shards_row_is_one_series_per_metric() -> None:
    latencies = HdrHistogram(1, 3_600_000, 2)
    for milliseconds in (8, 40, 400, 400, 900, 20_000):
        latencies.record_value(milliseconds)
    row = _row(
        events=100,
        duplicates=3,
        dead_letters=2,
        foreign=1,
        behind_ms=1_500,
        updated_at=NOW - 2_000,
        watermark_ms=NOW - 10_000,
        owner="fraud-1",
        latency=latencies.encode().decode(),
        breakers={"DynamoDB": "open"},
        waiting={"action": "sqs:SendMessage", "resource": "arn:queue", "since": NOW},
        deaths=3,
    )
    found = _parsed(prometheus.render(of_shards([row], NOW)))
    shard = (("application", "fraud"), ("shard", "shard-1"))
    assert found["clickstream_events_total"] == {shard: 100}
    assert found["clickstream_duplicates_total"] == {shard: 3}
    assert found["clickstream_behind_seconds"] == {shard: 1.5}
    assert found["clickstream_worker_deaths"] == {shard: 3}
    assert found["clickstream_progress_age_seconds"] == {shard: 2}
    assert found["clickstream_watermark_age_seconds"] == {shard: 10}
    refusal = ("action", "sqs:SendMessage"), ("resource", "arn:queue")
    assert found["clickstream_forbidden"] == {tuple(sorted((*shard, *refusal))): 1}
    assert found["clickstream_breaker_open"] == {(shard[0], ("dependency", "DynamoDB"), shard[1]): 1}
    buckets = {dict(labels)["le"]: count for labels, count in found["clickstream_effect_latency_seconds_bucket"].items()}
    assert (buckets["0.01"], buckets["0.05"], buckets["0.5"], buckets["1"], buckets["30"], buckets["+Inf"]) == (
        1,
        2,
        4,
        5,
        6,
        6,
    )
    assert found["clickstream_effect_latency_seconds_sum"][shard] == pytest.approx(21.748, rel=0.01)


def test_a_shard_that_has_ended_keeps_its_counters_and_lags_no_more() -> None:
    found = _parsed(prometheus.render(of_shards([_row(events=5, ended=True, behind_ms=9, updated_at=1)], NOW)))
    assert set(found) == {f"clickstream_{name}_total" for name in ("events", "duplicates", "foreign", "dead_letters")}


@given(st.lists(st.integers(1, 3_000_000), max_size=200))
def test_buckets_are_cumulative_and_count_everything(milliseconds: list[int]) -> None:
    latencies = HdrHistogram(1, 3_600_000, 2)
    for value in milliseconds:
        latencies.record_value(value)
    made = histogram(latencies)
    counts = [count for _, count in made.buckets]
    assert counts == sorted(counts)
    assert made.count == len(milliseconds)
    for bound, count in made.buckets:
        # the histogram keeps two digits, so a value near a bound may fall on either side
        assert (
            sum(value <= bound * 990 for value in milliseconds) <= count <= sum(value <= bound * 1010 for value in milliseconds)
        )


def test_a_line_for_cloudwatch_is_what_its_specification_asks_for() -> None:
    line = emf.line(
        NOW,
        {"application": "fraud", "shard": "shard-1"},
        {"clickstream_events_total": 7.0, "clickstream_effect_latency_seconds": [0.1, 0.4]},
        {"position": "12.0"},
    )
    told = json.loads(line)
    assert "\n" not in line
    assert told["_aws"] == {
        "Timestamp": NOW,
        "CloudWatchMetrics": [
            {
                "Namespace": "Clickstream",
                "Dimensions": [["application", "shard"]],
                "Metrics": [{"Name": "Events", "Unit": "Count"}, {"Name": "EffectLatency", "Unit": "Seconds"}],
            }
        ],
    }
    assert told["Events"] == 7
    assert told["EffectLatency"] == [0.1, 0.4]
    assert (told["application"], told["shard"], told["position"]) == ("fraud", "shard-1", "12.0")


def test_every_metric_has_a_name_of_its_own_in_cloudwatch() -> None:
    names = [emf.name_of(name) for name in METRICS]
    assert len(set(names)) == len(names)


@given(st.dictionaries(st.integers(1, 10_000).map(float), st.integers(1, 500), min_size=1))
def test_a_thinned_distribution_has_the_same_percentiles(counts: dict[float, int]) -> None:
    kept = emf.thinned(counts)
    every = np.repeat(list(counts), list(counts.values()))
    assert len(kept) == min(len(every), emf.MOST_VALUES)
    assert set(kept) <= set(counts)
    for number, value in enumerate(kept):
        middle = (number + 0.5) / len(kept) * len(every)
        assert (every < value).sum() <= middle <= (every <= value).sum(), "it stands for the middle of its share"


def test_bounds_rise() -> None:
    assert list(BOUNDS) == sorted(set(BOUNDS))
    assert Histogram((), 0, 0.0).buckets == ()
