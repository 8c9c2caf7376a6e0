"""The report as one HTML page in the dashboard's dress: no script, nothing asked of any server. Pure."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from html import escape
from pathlib import Path

import pandas as pd

from clickstream.consumers.analytics.views import Granularity
from clickstream.money import exponent, money
from clickstream.serving.report.charts import Axis, Series, bars, lines, local
from clickstream.serving.report.frames import Report, first_start, starts

#: Rows of the table of windows; the CSV has all.
MOST_ROWS = 500

_HERE = Path(__file__).parent
_WORDS: dict[str, str] = json.loads((_HERE / "words.json").read_text())


def html(report: Report, zone: tzinfo | None = None) -> str:
    """The whole page, with the times of ``zone``: this machine's without one."""
    start, end = local(report.start_ms, zone), local(report.end_ms, zone)
    until = "%H:%M %Z" if start.date() == end.date() else "%-d %b %Y, %H:%M %Z"
    said = "Not complete yet: what is pale may still grow."
    if report.complete_to is None:
        said = "How far the answers are complete is not known."
    elif report.complete_to >= report.end_ms:
        said = "Complete."
    filled = {
        "style": "".join((_HERE.parent / "static" / f"{each}.css").read_text() for each in ("style", "panels", "report")),
        "span": f"{start:%-d %b %Y, %H:%M} to {end:{until}}",
        "said": said,
        "granularity": report.granularity,
        "name": escape(report.name),
        # last: a placeholder in it stays as it is
        "main": "\n".join(_main(report, zone)),
    }
    page = (_HERE / "report.html").read_text()
    for name, text in filled.items():
        page = page.replace(f"{{{{{name}}}}}", text)
    return page


def _main(report: Report, zone: tzinfo | None) -> Iterator[str]:
    shown = ((name, sum) for name, sum in report.totals.items() if not name.startswith("events_"))
    figures = (
        f"<div class=figure><h2>{_word(name)}</h2><p class=value>{_headline(name, sum)}</p></div>" for name, sum in shown
    )
    yield f"<section class=figures aria-label=Figures>{''.join(figures)}</section>"
    for layout, panels in (("pair even", _charts(report, zone)), ("three", _rankings(report))):
        if inside := "".join(panels):
            yield f'<div class="{layout}">{inside}</div>'
    yield _windows(report.table, zone) if len(report.table) else "<p class=empty>Nothing happened in this time.</p>"


def _word(name: str) -> str:
    """As HTML."""
    currency, kind = name.removeprefix("revenue_"), name.removeprefix("events_").replace("_", " ")
    return escape(_WORDS.get(name, kind if currency == name else f"Revenue, {currency}"))


def _value(name: str, number: float) -> str:
    return money(int(number), name[8:]) if name.startswith("revenue_") else f"{number:,.0f}"


def _headline(name: str, number: int) -> str:
    """Its title has the currency; cents say nothing beside thousands."""
    text = _value(name, number).split()[0]
    return text if len(text) < 9 else text.partition(".")[0]


def _charts(report: Report, zone: tzinfo | None) -> Iterator[str]:
    """What the report has data for; a window without any was empty, and is drawn as such."""
    width_ms = Granularity(report.granularity).ms
    begins = range(first_start(report.granularity, report.start_ms), report.end_ms, width_ms)
    if report.table.empty or not begins:
        return
    open_from = 0 if report.complete_to is None else report.complete_to - width_ms + 1
    axis = Axis(begins, width_ms, open_from, zone)
    windows, decisions = (frame.reindex(starts(begins), fill_value=0) for frame in (report.windows, report.decisions))
    per = f"per {report.granularity}"

    def series(frame: pd.DataFrame, **inks: str) -> list[Series]:
        return [Series(_WORDS[name], ink, frame[name].tolist()) for name, ink in inks.items()]

    if not report.windows.empty:
        yield _chart("Events", per, bars(axis, series(windows, events="accent")))
        for code in (str(name)[8:] for name in windows.filter(regex="^revenue_")):
            earned = windows[f"revenue_{code}"] / 10 ** exponent(code)
            yield _chart("Revenue", f"{code} {per}", bars(axis, [Series(code, "second", earned.tolist())]))
        band = [windows[edge].tolist() for edge in ("uniques_low", "uniques_high")]
        visitors = lines(axis, series(windows, uniques="accent"), band)
        yield _chart("Unique visitors", f"{per}, with the bounds of 95 % confidence", visitors)
        steps = series(windows, sessions_view="accent", sessions_cart="second", sessions_purchase="warn")
        yield _chart("Sessions", per, lines(axis, steps), steps)
    if not report.decisions.empty:
        alarms, truth = series(decisions, review="second", block="bad"), series(decisions, frauds="bad", caught="accent")
        yield _chart("Fraud alarms", per, bars(axis, alarms), alarms)
        if decisions["frauds"].any():
            yield _chart("Frauds known from labels", per, lines(axis, truth), truth)


def _chart(title: str, note: str, drawing: str, series: Sequence[Series] = ()) -> str:
    keys = " ".join(f"<span class=key data-ink={each.ink}>{escape(each.name)}</span>" for each in series)
    return _panel(title, f'<div role=img aria-label="{title}">{drawing}</div>', f"{escape(note)} {keys}")


def _panel(title: str, inside: str, note: str = "") -> str:
    return f"<section class=panel><header><h2>{title}</h2><p>{note}</p></header>{inside}</section>"


def _rankings(report: Report) -> Iterator[str]:
    counted = {name: count for name, count in report.totals.items() if name.startswith("events_")}
    kinds = sorted(((_word(name), count) for name, count in counted.items()), key=lambda each: -each[1])
    ranked = {"Events by type": kinds}
    ranked |= {_word(name): [(escape(key), count) for key, count in entries] for name, entries in report.tops.items()}
    for title, entries in ranked.items():
        if entries:
            yield _panel(title, f"<ol class=ranks>{''.join(_ranks(entries))}</ol>")
    if (archived := report.archived) is not None:
        names = sorted({f"events_{kind}" for kind in archived} | counted.keys())
        rows = ([_word(name), f"{archived.get(name[7:], 0):,}", f"{counted.get(name, 0):,}"] for name in names)
        yield _panel("Archive beside analytics", _table(("Type", "Archived", "Counted"), rows), "the newest files follow soon")


def _ranks(entries: Sequence[tuple[str, int]]) -> Iterator[str]:
    most = max(count for _, count in entries) or 1
    for name, count in entries:
        weight = f'<div class=weight style="width:{100 * count / most:.1f}%"></div>'
        said = f'<span class=name title="{name}">{name}</span></div><span class=count>{count:,}</span>'
        yield f"<li><div class=cell>{weight}{said}</li>"


def _windows(table: pd.DataFrame, zone: tzinfo | None) -> str:
    shown = table.drop(columns=["uniques_low", "uniques_high"], errors="ignore").tail(MOST_ROWS)
    names = [str(name) for name in shown.columns]
    rows = (
        [f"{local(int(start.timestamp() * 1000), zone):%-d %b %Y, %H:%M}"]
        + ["–" if pd.isna(value) else _value(name, value) for name, value in zip(names, values, strict=True)]
        for start, *values in shown.itertuples()
    )
    note = f"the last {MOST_ROWS:,} of {len(table):,}; the CSV has all" if len(table) > len(shown) else ""
    return _panel("Every window", _table(("From", *map(_word, names)), rows), note)


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """Of HTML; the first column is text, the others are numbers."""
    head = "".join(f"<th scope=col>{each}" for each in heads)
    body = "\n".join(f"<tr>{''.join(f'<td>{each}' for each in row)}" for row in rows)
    return f"<div class=scroll tabindex=0><table class=numbers><thead><tr>{head}</thead>\n<tbody>{body}</tbody></table></div>"
