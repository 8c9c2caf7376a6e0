"""The report's charts, as the dashboard's: SVG that takes any width and theme, its texts as HTML beside it. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from html import escape
from itertools import accumulate
from typing import NamedTuple

#: Minutes between labels below a chart; the widest step is a fortnight.
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 20_160)
_MOST_LABELS = 7
_DAY_MS = 86_400_000


class Axis(NamedTuple):
    """The windows of a chart: when each starts, how wide they are, and from when on they are not complete."""

    starts: Sequence[int]
    width_ms: int
    open_from: int
    zone: tzinfo | None
    """None: this machine's."""

    def left(self, at_ms: float) -> float:
        """Thousandths of the chart's width."""
        return 1000 * (at_ms - self.starts[0]) / (len(self.starts) * self.width_ms)


class Series(NamedTuple):
    """One number for each window. ``ink``: a colour of the style sheet."""

    name: str
    ink: str
    numbers: Sequence[float]


def local(at_ms: int, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)


def bars(axis: Axis, series: Sequence[Series]) -> str:
    """On each other; pale where a window is not complete."""
    columns = list(zip(*(each.numbers for each in series), strict=True))
    top, width = _top(max(map(sum, columns))), 1000 / len(axis.starts)
    drawn = []
    for at, column in zip(axis.starts, columns, strict=True):
        words = "; ".join(f"{each.name} {_said(number)}" for each, number in zip(series, column, strict=True))
        drawn.append(
            f"<g{' class=pale' * (at >= axis.open_from)}><title>{local(at, axis.zone):%-d %b, %H:%M}: {escape(words)}</title>"
        )
        for each, number, high in zip(series, column, accumulate(column), strict=True):
            box = f"x={axis.left(at) + 0.14 * width:.2f} width={0.72 * width:.2f} y={100 - 100 * high / top:.2f}"
            drawn.append(f"<rect class={each.ink} {box} height={100 * number / top:.2f} />")
        drawn.append("</g>")
    return _framed(axis, top, "".join(drawn))


def lines(axis: Axis, series: Sequence[Series], band: Sequence[Sequence[float]] = ()) -> str:
    """Through the middles of the windows, pale to those that are not complete; ``band``: the edges of a stripe behind."""
    top = _top(max(map(max, (*(each.numbers for each in series), *band))))
    middles = [axis.left(at + axis.width_ms / 2) for at in axis.starts]

    def points(numbers: Sequence[float], part: slice = slice(None)) -> str:
        return " ".join(f"{x:.2f},{100 - 100 * number / top:.2f}" for x, number in [*zip(middles, numbers, strict=True)][part])

    drawn = [f'<polygon points="{points(band[0])} {points(band[1], slice(None, None, -1))}" />'] if band else []
    whole = sum(at < axis.open_from for at in axis.starts)
    for each in series:
        drawn.append(f'<polyline class={each.ink} points="{points(each.numbers, slice(whole))}" />')
        if whole < len(axis.starts):
            drawn.append(
                f'<polyline class="{each.ink} pale" points="{points(each.numbers, slice(max(0, whole - 1), None))}" />'
            )
    return _framed(axis, top, "".join(drawn))


def _top(most: float) -> float:
    """The end of the axis: round, not below ``most``, and whole in its quarters too."""
    tops = (part * 10.0 ** (len(str(int(most))) - 2) for part in (12, 16, 20, 24, 32, 40, 60, 80, 100, 120))
    return next(top for top in tops if top >= most and top % 4 == 0)


def _said(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:,.2f}"


def _framed(axis: Axis, top: float, drawing: str) -> str:
    ticks = "".join(f'<span style="bottom:{25 * n}%">{_said(top * n / 4)}</span>' for n in range(5))
    svg = f'<svg viewBox="0 0 1000 100" preserveAspectRatio=none aria-hidden=true>{drawing}</svg>'
    return f"<div class=plot><div class=ticks>{ticks}</div>{svg}<div class=times>{''.join(_times(axis))}</div></div>"


def _times(axis: Axis) -> Iterator[str]:
    """Labels on round hours or days of the zone; a narrow screen has room for every second one."""
    begin, end = axis.starts[0], axis.starts[-1] + axis.width_ms
    step = next((each for each in _STEPS if (end - begin) / 60_000 / each <= _MOST_LABELS), _STEPS[-1]) * 60_000
    first, last = (_ahead(at, axis.zone) for at in (begin, end))
    for number in range(-(-(begin + first) // step), -(-(end + last) // step)):
        # each with its own offset: summer time may end between two of them
        at = number * step - _ahead(number * step - first, axis.zone)
        moment = local(at, axis.zone)
        words = f"{moment:%-d %b}" if step >= _DAY_MS or f"{moment:%H%M}" == "0000" else f"{moment:%H:%M}"
        yield f'<span{" class=less" * (number % 2)} style="left:{axis.left(at) / 10:.2f}%">{words}</span>'


def _ahead(at_ms: int, zone: tzinfo | None) -> int:
    """How far the zone's clocks are ahead of UTC then, in ms."""
    return (local(at_ms, zone).utcoffset() or timedelta()) // timedelta(milliseconds=1)
