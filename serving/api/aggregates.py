"""``GET /v1/aggregates``: windows of event time, for the API, the page Now and ``clickstream query aggregates``. Pure."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from clickstream.consumers.analytics import views
from clickstream.consumers.analytics.views import Estimate, Funnel, Granularity, WindowView
from clickstream.errors import UserMistake
from clickstream.progress.completeness import Completeness
from clickstream.serving.api.operation import FROM, TO, Moment, Operation, Sheet, choice, count
from clickstream.serving.moments import iso

#: Windows in the answer to a question that names no start.
SPAN = {Granularity.MINUTE: 60, Granularity.HOUR: 24, Granularity.DAY: 30}
#: One answer holds at most this many windows: a day of minutes.
MOST_WINDOWS = 1440
MOST_TOP = 100

Ranking = Annotated[list[tuple[str, int]], Meta(description="[key, count], by count descending, then key")]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What happened between two moments of event time. ``revenue``: minor units by currency."""

    start: Moment
    end: Moment
    complete: Annotated[bool, Meta(description="all that arrives within the usual lateness is counted")]
    events: int
    counts: Annotated[dict[str, int], Meta(description="events by type")]
    orders: int
    revenue: Annotated[dict[str, int], Meta(description="minor units by currency")]
    uniques: Annotated[Estimate, Meta(description="visitors, with the bounds of 95 % confidence")]
    funnel: Annotated[Funnel, Meta(description="unique sessions that viewed; added to the cart after; purchased after that")]
    products: Ranking
    categories: Ranking
    carted: Ranking
    bought: Ranking
    searches: Ranking
    countries: Ranking
    devices: Ranking
    bounds: Annotated[dict[str, int], Meta(description="rankings that are not exact: any count may be up to so much higher")]


class Aggregates(msgspec.Struct, frozen=True, kw_only=True):
    """Windows that hold any event, oldest first."""

    granularity: Granularity
    from_: Moment = msgspec.field(name="from")
    to: Moment
    complete_to: Annotated[Moment | None, Meta(description="windows that end by then are complete; null when not known")]
    windows: list[Window]


def aggregates(
    reader: views.Aggregates, width: Granularity, start_ms: int, end_ms: int, top: int
) -> tuple[Aggregates, Completeness]:
    """The windows of ``[start_ms, end_ms)`` with ``top`` places per ranking, and how complete everything is."""
    # before the windows: what is reported as complete must be in them
    seen = views.completeness(reader.progress())
    complete_to = views.complete_to(seen, width)
    windows = [window(each, complete_to) for each in reader.windows(width, start_ms, end_ms, top=top)]
    return Aggregates(granularity=width, from_=start_ms, to=end_ms, complete_to=complete_to, windows=windows), seen


def window(view: WindowView, complete_to_ms: int | None) -> Window:
    """``complete_to_ms``: for windows of its width."""
    return Window(
        start=view.start_ms,
        end=view.end_ms,
        complete=complete_to_ms is not None and view.end_ms <= complete_to_ms,
        events=sum(view.counts.values()),
        counts=view.counts,
        orders=view.orders,
        revenue=view.revenue,
        uniques=view.uniques,
        funnel=view.funnel,
        bounds={name: top.bound for name, top in view.tops.items() if not top.exact},
        **{name: top.entries for name, top in view.tops.items()},
    )


def stretch(granularity: Granularity, start_ms: int | None, end_ms: int | None, now_ms: int) -> tuple[int, int]:
    """[start, end) on window boundaries, the window that holds ``now_ms`` included when no end is named.

    Raises UserMistake when it is empty or longer than one answer may be.
    """
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise UserMistake("`from` is not before `to`", hint="both are event times; `to` is exclusive")
    width = granularity.ms
    end = -(-end_ms // width) * width if end_ms is not None else (now_ms // width + 1) * width
    start = start_ms // width * width if start_ms is not None else max(0, end - SPAN[granularity] * width)
    if start >= end:
        raise UserMistake("`from` is in the future", hint="name `to` as well")
    if (end - start) // width > MOST_WINDOWS:
        raise UserMistake(
            f"more than {MOST_WINDOWS} windows in one question", hint="ask for a shorter time, or a coarser granularity"
        )
    return start, end


def _read(
    reader: views.Aggregates, now_ms: int, *, granularity: str, start: int | None, end: int | None, top: int
) -> Aggregates:
    width = Granularity(granularity)
    return aggregates(reader, width, *stretch(width, start, end, now_ms), top)[0]


def _rows(answer: Aggregates) -> Iterator[list[Any]]:
    """One per window, with a column per currency, in minor units."""
    currencies = sorted({code for each in answer.windows for code in each.revenue})
    names = "start end complete events orders visitors visitors_low visitors_high viewed carted purchased".split()
    yield [*names, *(f"revenue_minor_{code}" for code in currencies)]
    for each in answer.windows:
        row = [iso(each.start), iso(each.end), each.complete, each.events, each.orders]
        row += [round(number) for number in (each.uniques.value, each.uniques.low, each.uniques.high)]
        row += [each.funnel.view, each.funnel.cart, each.funnel.purchase]
        yield row + [each.revenue.get(code, 0) for code in currencies]


AGGREGATES = Operation(
    "/v1/aggregates",
    "Counts, revenue, visitors, funnel and rankings by window of event time",
    "windows",
    Aggregates,
    _read,
    (
        choice("granularity", [each.value for each in Granularity], "hour", "width of a window"),
        FROM,
        TO,
        count("top", 10, MOST_TOP, "places per ranking"),
    ),
    Sheet("{granularity}s", _rows),
)
