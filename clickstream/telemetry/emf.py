"""Samples as CloudWatch's embedded metric format: a JSON line in the log, from which CloudWatch makes metrics. Pure.

CloudWatch adds up what it is given per period, so counters go as what was added since the last line, and a distribution as an
array of values. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from clickstream.telemetry.metrics import MetricName, Unit, unit

NAMESPACE = "Clickstream"
#: Of one metric in one line.
MOST_VALUES = 100

_UNITS: Mapping[Unit, str] = {"": "Count", "seconds": "Seconds", "bytes": "Bytes"}

Values = float | Sequence[float]
"""One value, or the values of a distribution: at most ``MOST_VALUES``, see :func:`thinned`."""


def name_of(metric: MetricName) -> str:
    """As CloudWatch's users write names: ``clickstream_behind_seconds`` is ``Behind``, its unit stands beside it."""
    words = metric.removeprefix("clickstream_").removesuffix("_total").removesuffix("_seconds").removesuffix("_bytes")
    return "".join(word.capitalize() for word in words.split("_"))


def line(at_ms: int, dimensions: Mapping[str, str], values: Mapping[MetricName, Values], facts: Mapping[str, Any]) -> str:
    """One line, without its end. ``facts`` are properties beside the metrics, to be searched for and not counted."""
    metrics = [{"Name": name_of(name), "Unit": _UNITS[unit(name)]} for name in values]
    document: dict[str, Any] = {
        "_aws": {
            "Timestamp": at_ms,
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [list(dimensions)], "Metrics": metrics}],
        },
        **dimensions,
        **facts,
    }
    for name, value in values.items():
        document[name_of(name)] = value
    return msgspec.json.encode(document).decode()


def thinned(counts: Mapping[float, int]) -> list[float]:
    """A distribution (value → how often) as at most ``MOST_VALUES`` values that have the same percentiles, ascending."""
    total = sum(counts.values())
    wanted = min(total, MOST_VALUES)
    values: list[float] = []
    passed = 0
    for value in sorted(counts):
        passed += counts[value]
        # the n-th of the kept ones stands for the middle of its share of all
        while len(values) < wanted and (len(values) + 0.5) * total / wanted <= passed:
            values.append(value)
    return values
