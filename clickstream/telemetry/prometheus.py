"""Samples in Prometheus's text format, version 0.0.4. Pure."""

from collections.abc import Iterable, Iterator

from clickstream.telemetry.metrics import METRICS, Histogram, MetricName, Sample, kind

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(samples: Iterable[Sample]) -> str:
    """The exposition, one ``# HELP`` and ``# TYPE`` per metric, each of which says what to do as well."""
    told = list(samples)
    lines: list[str] = []
    for name in METRICS:
        if series := [sample for sample in told if sample.metric == name]:
            lines += [f"# HELP {name} {_help(name)}", f"# TYPE {name} {kind(name)}"]
            lines += (line for sample in series for line in _series(sample))
    return "".join(f"{line}\n" for line in lines)


def _help(name: MetricName) -> str:
    metric = METRICS[name]
    return f"{metric.says}. Do: {metric.advice}".replace("\\", r"\\").replace("\n", r"\n")


def _series(sample: Sample) -> Iterator[str]:
    name, labels = sample.metric, list(zip(METRICS[sample.metric].labels, sample.labels, strict=True))
    if not isinstance(sample.value, Histogram):
        yield f"{name}{_labels(labels)} {_number(sample.value)}"
        return
    for bound, count in sample.value.buckets:
        yield f"{name}_bucket{_labels([*labels, ('le', _number(bound))])} {count}"
    yield f"{name}_bucket{_labels([*labels, ('le', '+Inf')])} {sample.value.count}"
    yield f"{name}_sum{_labels(labels)} {_number(sample.value.sum)}"
    yield f"{name}_count{_labels(labels)} {sample.value.count}"


def _labels(pairs: list[tuple[str, str]]) -> str:
    if not pairs:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
