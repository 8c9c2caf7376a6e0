"""Puts what was measured into the documentation: only what stands between two marks of a page is replaced."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from clickstream.errors import UserMistake
from clickstream.load.benchmarks.harness import report
from clickstream.load.benchmarks.harness.measure import Result

#: The folder of all pages that are written here.
PAGES = Path("docs/reference")
_PLOT = "benchmarks.png"
#: A bar ends here however far the aim is passed.
_LONGEST = 8.0


def replaced(page: str, name: str, content: str) -> str:
    """The page with ``content`` between the marks of this name; raises UserMistake when it has no such marks."""
    begin, end = f"<!-- {name}: measured -->", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise UserMistake(f"the page has no place for {name}", hint=f"it stands between {begin} and {end}")
    return f"{before}{begin}\n{content.strip()}\n{end}{after}"


def write_benchmarks(results: Mapping[str, Result], docs: Path) -> None:
    """The table, each benchmark's fairness, and the plot, in docs/reference/benchmarks.md."""
    plot(results, docs / _PLOT)
    fairness = [f"- **{name}**: {result.fairness}" for name, result in results.items()]
    content = "\n".join([_when(), "", report.table(results), "", f"![Ratios and aims]({_PLOT})", "", *fairness])
    _replace(docs / "benchmarks.md", "benchmarks", content)


def write_growth(table: str, docs: Path) -> None:
    """What an event costs as things grow, in docs/reference/growth.md."""
    _replace(docs / "growth.md", "growth", f"{_when()}\n\n{table}")


def write_bills(table: str, docs: Path) -> None:
    """What each application costs, in docs/reference/growth.md."""
    _replace(docs / "growth.md", "bills", f"{_when()}\n\n{table}")


def plot(results: Mapping[str, Result], path: Path) -> None:
    """One bar a benchmark: how far beyond its aim in its tightest respect, on a logarithmic axis.

    Raises UserMistake without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserMistake("the plot needs matplotlib", hint="uv sync --group bench") from error
    names = list(results)[::-1]
    figure = Figure(figsize=(6.4, 0.45 * len(names) + 0.9), layout="constrained")
    axes = figure.add_subplot()
    for row, name in enumerate(names):
        result = results[name]
        margin = min(result.margin, _LONGEST)
        axes.barh(row, margin, height=0.6, color="#3b7a57" if result.reached else "#c0504d")
        axes.annotate(f" {result.ratio:.2f}x the peer", (margin, row), va="center", fontsize=8)
    axes.axvline(1, color="black", linestyle="--", linewidth=1)
    axes.set_xscale("log", base=2)
    # room for the figure beside the longest bar
    axes.set_xlim(0.25, 4 * _LONGEST)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("times the aim, in its tightest respect (dashed: the aim reached)", fontsize=8)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _replace(page: Path, name: str, content: str) -> None:
    page.write_text(replaced(page.read_text(), name, content))


def _when() -> str:
    load = report.machine()["load_average"]
    head = ["git", "rev-parse", "--short=10", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=False).stdout.strip()
    at = f" at commit {commit}" if commit else ""
    return f"Measured {datetime.now(UTC):%Y-%m-%d}{at} on {report.machine_line()}; load averages at the end {load}."
