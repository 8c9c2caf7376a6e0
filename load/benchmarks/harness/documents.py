"""Puts what was measured into the documentation: only what stands between two marks of a page is replaced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clickstream.errors import UserMistake
from clickstream.load.benchmarks.harness import report
from clickstream.load.benchmarks.harness.result import Result

#: The folder of all pages that are written here.
PAGES = Path("docs/reference")
_PLOT = "benchmarks.png"
#: A bar ends here however far the aim is passed or missed.
_LONGEST, _SHORTEST = 8.0, 0.25


def replaced(page: str, name: str, content: str) -> str:
    """The page with ``content`` between the marks of this name; raises UserMistake when it has no such marks."""
    begin, end = f"<!-- {name}: measured -->", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise UserMistake(f"the page has no place for {name}", hint=f"it stands between {begin} and {end}")
    return f"{before}{begin}\n{content.strip()}\n{end}{after}"


def write_benchmarks(results: Mapping[str, Result], docs: Path) -> None:
    """The table, the plot, where those that fall short spend their time, and each benchmark's fairness.

    In docs/reference/benchmarks.md.
    """
    plot(results, docs / _PLOT)
    parts = [
        *_runs(results),
        "",
        report.table(results),
        "",
        f"![Ratios and aims]({_PLOT})",
        "",
        "### Where the time goes",
        "",
        "Of each that falls short and runs in one process, the functions that are dearest by themselves (cProfile, which makes",
        "calls dearer than they are). What other processes cost stands in the list above.",
        "",
        *(f"- **{name}**: {', '.join(f'`{line}`' for line in each.profile)}" for name, each in results.items() if each.profile),
        "",
        "### What each side does",
        "",
        *(f"- **{name}**: {result.fairness}" for name, result in results.items() if result.fairness),
    ]
    content = "\n".join(parts)
    _replace(docs / "benchmarks.md", "benchmarks", content)


def write_growth(table: str, docs: Path) -> None:
    """What an event costs as things grow, in docs/reference/growth.md."""
    _replace(docs / "growth.md", "growth", f"{_when()}\n\n{table}")


def write_bills(table: str, docs: Path) -> None:
    """What each application costs, in docs/reference/growth.md."""
    _replace(docs / "growth.md", "bills", f"{_when()}\n\n{table}")


def plot(results: Mapping[str, Result], path: Path) -> None:
    """One bar a benchmark: how far beyond its aim in its tightest respect, on a logarithmic axis; none without a verdict."""
    # half a second to import, which a run does not pay
    from matplotlib.figure import Figure

    names = list(results)[::-1]
    figure = Figure(figsize=(6.4, 0.45 * len(names) + 0.9), layout="constrained")
    axes = figure.add_subplot()
    for row, name in enumerate(names):
        result = results[name]
        told = "no verdict" if result.ratio is None else f"{result.ratio:.2f}x the peer"
        margin = max(_SHORTEST, min(1.0 if result.margin is None else result.margin, _LONGEST))
        if result.verdict != "unknown":
            axes.barh(row, margin, height=0.6, color="#3b7a57" if result.verdict == "yes" else "#c0504d")
        axes.annotate(f" {told}", (margin, row), va="center", fontsize=8)
    axes.axvline(1, color="black", linestyle="--", linewidth=1)
    axes.set_xscale("log", base=2)
    # room for the figure beside the longest bar
    axes.set_xlim(_SHORTEST, 4 * _LONGEST)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("times the aim, in its tightest respect (dashed: the aim reached)", fontsize=8)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _replace(page: Path, name: str, content: str) -> None:
    page.write_text(replaced(page.read_text(), name, content))


def _when() -> str:
    return f"Measured {report.here_and_now()}."


def _runs(results: Mapping[str, Result]) -> list[str]:
    """A line for each run that the results are of."""
    runs: dict[str, list[str]] = {}
    for name, result in results.items():
        runs.setdefault(result.at, []).append(name)
    if len(runs) == 1:
        return [f"Measured {next(iter(runs))}."]
    return [f"- {', '.join(names)}: measured {at}." for at, names in runs.items()]
