"""The report as one HTML page: styles, pictures and numbers inside, no script, nothing asked of any server. Pure."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

import pandas as pd

from clickstream.serving.moments import iso
from clickstream.serving.report.frames import Report

#: Rows of the table of windows; the CSV has all.
MOST_ROWS = 500

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1.5rem; }
th, td { padding: .15rem .6rem; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1rem 0 2rem; } img { width: 100%; background: #fff; }
.wide { overflow-x: auto; }
"""


def html(report: Report, pictures: Sequence[tuple[str, str]]) -> str:
    """The whole page; ``pictures`` are (title, SVG)."""
    start, end = iso(report.start_ms), iso(report.end_ms)
    title = escape(f"{report.name}, {start} to {end}")
    parts = [
        f"<h1>{title}</h1>",
        f"<p>Windows of one {escape(report.granularity)}, UTC. {escape(_completeness(report))} Revenue in minor units.</p>",
        "<h2>In all</h2>",
        _table(("", "sum"), ((name.replace("_", " "), f"{value:,}") for name, value in report.totals.items())),
        *(_figure(heading, svg) for heading, svg in pictures),
        *(_ranking(name, entries) for name, entries in report.tops.items() if entries),
        *_archive(report),
        "<h2>Windows</h2>",
        _windows(report.table),
    ]
    return (
        f"<!doctype html>\n<html lang=en>\n<head><meta charset=utf-8><title>{title}</title>\n"
        f'<meta name=viewport content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style></head>\n'
        f"<body>\n{chr(10).join(parts)}\n</body></html>\n"
    )


def _completeness(report: Report) -> str:
    if report.complete_to is None:
        return "How far the answers are complete is not known."
    if report.complete_to >= report.end_ms:
        return "Complete."
    return f"Complete to {iso(report.complete_to)}; later windows may still grow."


def _figure(heading: str, svg: str) -> str:
    # an image of its own, so that two pictures cannot mix up their ids
    data = base64.b64encode(svg.encode()).decode()
    image = f'<img alt="{escape(heading)}" src="data:image/svg+xml;base64,{data}">'
    return f"<figure><figcaption><h2>{escape(heading)}</h2></figcaption>{image}</figure>"


def _ranking(name: str, entries: Sequence[tuple[str, int]]) -> str:
    return f"<h2>Top {escape(name)}</h2>" + _table(("", "count"), ((key, f"{count:,}") for key, count in entries))


def _archive(report: Report) -> list[str]:
    if report.archived is None:
        return []
    counted = {name.removeprefix("events_"): count for name, count in report.totals.items() if name.startswith("events_")}
    kinds = sorted(report.archived.keys() | counted.keys())
    rows = ((kind, f"{report.archived.get(kind, 0):,}", f"{counted.get(kind, 0):,}") for kind in kinds)
    note = "<p>Events of these windows; the archive's newest files follow within a moment.</p>"
    return ["<h2>Archive beside analytics</h2>", note, _table(("type", "archived", "counted"), rows)]


def _windows(table: pd.DataFrame) -> str:
    shown = table.tail(MOST_ROWS)
    rows = (
        [iso(int(start.timestamp() * 1000)), *("" if pd.isna(value) else f"{value:,.0f}" for value in values)]
        for start, *values in shown.itertuples()
    )
    left_out = len(table) - len(shown)
    note = f"<p>The last {MOST_ROWS:,} of {len(table):,}; the CSV has all.</p>" if left_out else ""
    return note + _table(("start", *(str(name).replace("_", " ") for name in table.columns)), rows)


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th scope=col>{escape(each)}</th>" for each in heads)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class=wide><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>"
