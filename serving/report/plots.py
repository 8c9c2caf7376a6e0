"""The report's pictures, as SVG text. matplotlib draws them without a screen."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pandas as pd

from clickstream.errors import Missing

if TYPE_CHECKING:
    from clickstream.serving.report.frames import Report

_SIZE = (10.0, 3.0)
_VERDICTS = {"approve": "#4c9f70", "review": "#e0a030", "block": "#c0392b"}


def pictures(report: Report) -> list[tuple[str, str]]:
    """(title, SVG) of what the report has data for. Raises Missing when matplotlib is not installed."""
    windows, decisions = report.windows, report.decisions
    found = []
    width = pd.Timedelta(f"1 {report.granularity}")
    if not windows.empty:
        found.append(("Events by type", _stacked(_of(windows, "events_"), width, None)))
        if not (money := _of(windows, "revenue_")).empty:
            found.append(("Revenue, minor units", _lines(money)))
        found.append(("Unique visitors, with 95 % confidence", _band(windows)))
        found.append(("Sessions that viewed, added to the cart, purchased", _lines(_of(windows, "sessions_"))))
    if not decisions.empty:
        found.append(("Fraud decisions", _stacked(decisions[list(_VERDICTS)], width, list(_VERDICTS.values()))))
        if decisions["frauds"].any():
            found.append(("Frauds known from labels, and caught", _lines(decisions[["frauds", "caught"]])))
    return found


def _of(windows: pd.DataFrame, prefix: str) -> pd.DataFrame:
    return windows.filter(regex=f"^{prefix}").rename(columns=lambda name: name.removeprefix(prefix))


def _figure() -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise Missing("matplotlib is not installed", hint="uv sync --extra models; --out FILE.csv needs none") from error
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    return figure, axes


def _stacked(frame: pd.DataFrame, width: pd.Timedelta, colours: list[str] | None) -> str:
    """Bars as wide as a window: a window's count holds for all of it, and a gap between two is a gap."""
    figure, axes = _figure()
    below = pd.Series(0, index=frame.index)
    for number, name in enumerate(frame.columns):
        colour = colours[number] if colours else f"C{number}"
        axes.bar(frame.index, frame[name], width, below, align="edge", label=name, color=colour)
        below = below + frame[name]
    return _svg(figure, axes)


def _lines(frame: pd.DataFrame) -> str:
    figure, axes = _figure()
    for name in frame.columns:
        axes.plot(frame.index, frame[name], label=name, marker="o", markersize=2)
    return _svg(figure, axes)


def _band(windows: pd.DataFrame) -> str:
    figure, axes = _figure()
    axes.fill_between(windows.index, windows["uniques_low"], windows["uniques_high"], alpha=0.25)
    axes.plot(windows.index, windows["uniques"], label="visitors", marker="o", markersize=2)
    return _svg(figure, axes)


def _svg(figure: Any, axes: Any) -> str:
    from matplotlib import rc_context

    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize="small")
    axes.set_ylim(bottom=0)
    written = io.StringIO()
    # text stays text: to be read aloud, searched, and in the reader's font; the same data give the same bytes
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "report", "font.family": "sans-serif"}):
        figure.savefig(written, format="svg", metadata=nothing)
    text = written.getvalue()
    return text[text.index("<svg") :]
