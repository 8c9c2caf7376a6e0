"""Samples in Prometheus's text format, version 0.0.4. Pure."""

from collections.abc import Iterable, Iterator

from clickstream.telemetry.metrics import Histogram, Metric, Sample, by_metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(samples: Iterable[Sample]) -> str:
    """The exposition, one ``# HELP`` and ``# TYPE`` per metric, each of which says what to do as well."""
    lines: list[str] = []
    for metric, series in by_metric(samples).items():
        lines += [f"# HELP {metric.name} {_help(metric)}", f"# TYPE {metric.name} {metric.kind}"]
        for sample in series:
            lines += _series(metric, sample)
    return "\n".join(lines) + "\n" if lines else ""


def _help(metric: Metric) -> str:
    return f"{metric.says}. Do: {metric.advice}".replace("\\", r"\\").replace("\n", r"\n")


def _series(metric: Metric, sample: Sample) -> Iterator[str]:
    labels = list(zip(metric.labels, sample.labels, strict=True))
    if not isinstance(sample.value, Histogram):
        yield f"{metric.name}{_labels(labels)} {_number(sample.value)}"
        return
    for bound, count in sample.value.buckets:
        yield f"{metric.name}_bucket{_labels([*labels, ('le', _number(bound))])} {count}"
    yield f"{metric.name}_bucket{_labels([*labels, ('le', '+Inf')])} {sample.value.count}"
    yield f"{metric.name}_sum{_labels(labels)} {_number(sample.value.sum)}"
    yield f"{metric.name}_count{_labels(labels)} {sample.value.count}"


def _labels(pairs: list[tuple[str, str]]) -> str:
    if not pairs:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
