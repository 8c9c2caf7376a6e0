"""``python -m tests.unit.docs.metric_rows`` writes the rows of docs/reference/telemetry.md from the registry of metrics."""

from __future__ import annotations

import re
from pathlib import Path

from clickstream.telemetry.metrics import METRICS, MetricName, kind

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "telemetry.md"


def row(name: MetricName) -> str:
    metric = METRICS[name]
    return f"| `{name}` | {', '.join(metric.labels) or '–'} | {kind(name)}: {metric.says} | {metric.advice} |"


def refreshed(page: str) -> str:
    """The page with each metric's row as the registry has it; a metric without a row is left out."""
    for name in METRICS:
        written = row(name).replace("\\", "\\\\")
        page = re.sub(rf"^\| `{name}` \|.*$", written, page, flags=re.MULTILINE)
    return page


if __name__ == "__main__":
    PAGE.write_text(refreshed(PAGE.read_text()))
