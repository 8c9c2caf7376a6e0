"""``clickstream query``: answers for a terminal or a script."""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from clickstream.answers.reading import Answers
from clickstream.aws import Clients
from clickstream.consumers.analytics.views import Aggregates, Granularity
from clickstream.consumers.needs import short_applications
from clickstream.consumers.recommendations.views import Recommendations
from clickstream.errors import Missing
from clickstream.money import money
from clickstream.serving import export
from clickstream.serving.api.aggregates import AGGREGATES, Window, stretch
from clickstream.serving.api.aggregates import aggregates as answer
from clickstream.serving.api.command_line import Id, described, json_option, option
from clickstream.serving.api.operation import FROM, TO
from clickstream.serving.api.own import OWN, read, rows
from clickstream.serving.api.recommendations import COUNT, OF_VISITOR, WITHOUT
from clickstream.serving.api.recommendations import recommendations as recommended
from clickstream.serving.moments import iso
from clickstream.settings import from_env
from clickstream.terminal import json_line, length, parse_moment, print_table, shown

Reader = TypeVar("Reader")
_GRANULARITY, _, _, _TOP = AGGREGATES.own
_KEY, _ORDER, _LIMIT = OWN.own[-3:]
#: Exit code: all is written, and some of it `clickstream produce` would reject.
SOME_UNFIT = 3


@click.group()
def query() -> None:
    """Ask for aggregates, decisions, recommendations or own answers from the command line."""


@query.command(
    help=described(
        "Counts, revenue, unique visitors, funnel and rankings per window.",
        AGGREGATES.answer,
        'clickstream query aggregates --granularity minute --from "30m ago"',
        "clickstream query aggregates --granularity day --from 2026-11-01 --to 2026-12-01 --json",
    )
)
@option(_GRANULARITY)
@option(FROM, default="24h ago")
@option(TO, default="now")
@option(_TOP, type=click.IntRange(0, 1000))
@json_option
def aggregates(granularity: str, start: str, end: str, top: int, as_json: bool) -> None:
    now_ms = int(time.time() * 1000)
    width = Granularity(granularity)
    start_ms, end_ms = parse_moment(start, now_ms), parse_moment(end, now_ms)
    if end_ms < start_ms:
        raise click.BadParameter("it is before --from", param_hint="--to")
    span = stretch(width, start_ms, end_ms, now_ms)
    found, seen = answer(_reader(Aggregates), width, *span, top)
    if as_json:
        click.echo(json_line(found))
        return
    numbers = ("events", "revenue", "uniques", "view → cart → buy")
    this_year = all(iso(each.start)[:4] == iso(now_ms)[:4] for each in found.windows)
    rows = (_cells(each, this_year) for each in found.windows)
    print_table(("window (UTC)", *numbers, "top products"), rows, right=numbers)
    late_s = seen.lateness_ms / 1000
    later = f"{late_s:,.0f} s" if late_s < 7_200 else length(late_s)
    late = f"{100 * seen.late_share:.2g} % of the events came later than {later}"
    click.echo(f"complete to {_moment(found.complete_to)} ({late}); … = more may come", err=True)


def _begin(window: Window, this_year: bool) -> str:
    """Without what goes without saying: a day's hour; the year, where all windows are of this one."""
    day, clock = iso(window.start)[:16].split("T")
    return day if window.end - window.start == Granularity.DAY.ms else f"{day[5:] if this_year else day} {clock}"


def _cells(window: Window, this_year: bool) -> list[str]:
    funnel, bound = window.funnel, window.bounds.get("products")
    products = [shown(f"{key} {count:,}") for key, count in window.products[:3]]
    return [
        f"{_begin(window, this_year)}{'' if window.complete else ' …'}",
        f"{window.events:,}",
        "\n".join(money(amount, currency) for currency, amount in window.revenue.items()),
        f"{window.uniques.value:,.0f}",
        f"{funnel.view:,} → {funnel.cart:,} → {funnel.purchase:,}",
        "\n".join(products if bound is None else [*products, f"(±{bound:,})"]),
    ]


@query.command(
    help=described(
        "What to show a visitor next; a stranger gets what is popular.",
        OF_VISITOR.answer,
        "clickstream query recommendations u000123 --json",
    )
)
@click.argument("user_id", type=Id())
@option(COUNT)
@option(WITHOUT, default="", show_default=False, metavar="PRODUCT,…")
@json_option
def recommendations(user_id: str, count: int, without: str, as_json: bool) -> None:
    view = _reader(Recommendations).of(user_id, count=count, without=frozenset(filter(None, without.split(","))))
    found = recommended(view)
    if as_json:
        click.echo(json_line(found))
        return
    for place, each in enumerate(found.items, 1):
        click.echo(shown(f"{place:>3}  {each.product_id}  {each.score:.3f}  {each.reason}"))
    if not found.personal:
        known = f"nothing is known of {shown(user_id)}: this is what is popular"
        click.echo(known if found.items else "nothing to recommend yet", err=True)


@query.command()
@click.argument("event_id", type=Id(), metavar="EVENT_OR_ORDER_ID")
@json_option
def decision(event_id: str, as_json: bool) -> None:
    """What was decided about a purchase, why, by which model, and what people did about it.

    \b
    With --json: {"event_id", "order_id", "user_id", "occurred_at", "decided_at", "amount", "currency", "verdict", "score",
      "reasons", "source", "model_version", "features", "matched", "reviews", "others", "more"}
      verdict        approve, review or block
      score          the probability of fraud; with source "unsupervised" how strange it is, with "rules" the rule's weight
      reasons        [{"feature", "value", "effect"}, ...], the strongest first; effect in log odds
      source         model, unsupervised, rules, or safeguard: a person must look, whatever the model says
      features       {name: value or null}, as they were when it was decided
      matched        event or order: what the id is of this purchase
      reviews        [{"action", "by", "at"}, ...], what people did about it, the latest last
      others         decisions on other purchases that have this id, each like this one; some of them if they are many
      more           whether the order has more purchases than these

    \b
    Example:
      clickstream query decision 0193f0a2-7c1e-7d3b-9a41-5f2c8e6b7d10 --json
    """
    # the model's libraries cost half a second to import, which the other queries do not pay
    from clickstream.consumers.fraud import views

    decisions = _reader(views.Decisions)
    found, more = decisions.find(event_id)
    if not found:
        raise Missing(
            f"no decision on {event_id}",
            hint="it may not be a purchase, or not be decided yet: `clickstream tail` shows what is on the stream",
        )
    reviews = decisions.reviews([each for _, each in found])
    if as_json:
        told = [views.as_json(each) | {"matched": by, "reviews": reviews.get(each.key, [])} for by, each in found]
        click.echo(json_line(told[0] | {"others": told[1:], "more": more}))
        return
    for _, each in found:
        click.echo(shown(f"{each.verdict.value}  score {each.score:.4f}  by {each.source.value} {each.model_version}"))
        paid = money(each.amount, each.currency)
        click.echo(shown(f"order {each.order_id} of {each.user_id}, {paid}, {iso(each.occurred_at)}"))
        for moved in each.reasons:
            click.echo(f"  {moved.feature} = {moved.value:g}  ({moved.effect:+.2f})")
        for done in reviews.get(each.key, []):
            click.echo(shown(f"  {done.action} by {done.by}, {iso(done.at)}"))
    if more:
        click.echo("the order has more purchases than these", err=True)


@query.command(
    help=described(
        "Rows of a table of an own application.",
        OWN.answer,
        'clickstream query own wishlist wishes --from "6h ago" --order wishes --limit 10',
        "clickstream query own wishlist wishes --key sku-4100 --format csv",
    )
)
@click.argument("application")
@click.argument("table")
@option(FROM, show_default="24 windows before --to")
@option(TO, default="now")
@option(_KEY)
@option(_ORDER, metavar="CELL")
@option(_LIMIT)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    show_default=True,
    help="How the rows are printed.",
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
def own(form: str, **given: str | int | None) -> None:
    now_ms = int(time.time() * 1000)
    texts = {name: None if value is None else str(value) for name, value in given.items()}
    arguments = {each.argument: each.value(texts[each.argument], now_ms) for each in OWN.own}
    found = read(_reader(Answers, short_applications()), now_ms, **arguments)
    if form == "json":
        click.echo(json_line(found))
    elif form == "csv" and OWN.sheet is not None:
        sheet = OWN.sheet.render(found)
        if sys.stdout.isatty():
            sheet = "".join(shown(line) + "\n" for line in sheet.decode("utf-8-sig").splitlines()).encode()
        click.echo(sheet, nl=False)
    else:
        # a window's end would not fit a terminal
        columns, *values = ([start, *rest] for start, _, *rest in rows(found))
        _print_values(columns, values)
        click.echo(f"complete to {_moment(found.complete_to)}", err=True)


@query.command()
@click.argument("statement", metavar="SQL")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="FILE.parquet, FILE.csv or FILE.ndjson.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per row on stdout.")
@click.pass_context
def sql(ctx: click.Context, statement: str, out: Path | None, as_json: bool) -> None:
    """SQL (DuckDB's) over the archive: `events` has every archived event once, `own.TYPE` those of a type of your own.

    \b
    Columns: type, event_id, user_id, session_id, occurred_at (timestamp, UTC), context, url, product_id, category, quantity,
    query, order_id, items, amount, currency, payment_fingerprint, success; ordinal, the order within a shard; date (text) and
    hour (number), by which a query reads less. `DESCRIBE events` shows their types. Properties of your own are columns of
    `own.TYPE`, also those that you add to one of the seven types; in `events` they are the fields of `own_TYPE`.

    With --out FILE.ndjson, rows that have every column of `events` are written as the events that they are: `clickstream
    produce FILE.ndjson` puts them again. Exit code 3: some of them are no events as they are declared today.

    \b
    Example:
      clickstream query sql "SELECT type, count(*) FROM events WHERE date = '2026-11-24' GROUP BY type ORDER BY 2 DESC"
      clickstream query sql "SELECT product_id, count(*) FROM own.wish GROUP BY 1" --out wishes.csv
      clickstream query sql "SELECT * FROM events ORDER BY occurred_at, ordinal" --out events.ndjson
    """
    from clickstream.consumers.archive.views import Archive

    if out is not None and out.suffix not in export.FORMS:
        raise click.BadParameter(f"{out} ends in none of {', '.join(export.FORMS)}", param_hint="--out")
    with _reader(Archive).asked(statement) as result:
        if out is not None:
            written = export.write(result, out)
        elif as_json:
            for row in result.dicts():
                click.echo(json_line(row, enc_hook=str))
        else:
            _print_values(result.columns, result.rows())
    if out is None:
        return
    lines = out.suffix == ".ndjson"
    noun = "event" if lines and result.is_of_events else "row"
    click.echo(f"{out}: {written.rows:,} {noun}{'' if written.rows == 1 else 's'}", err=True)
    if lines and result.is_of_events and result.beyond:
        click.echo(shown(f"left out, since no event has them: {', '.join(result.beyond)}"), err=True)
    if lines and not result.is_of_events:
        click.echo("hint: `clickstream produce` takes whole events, as SELECT * FROM events has them", err=True)
    if written.unfit:
        click.echo(shown(f"{written.unfit:,} of them are no events as they are declared today; {written.why}"), err=True)
        ctx.exit(SOME_UNFIT)


def _reader(kind: Callable[..., Reader], *arguments: object) -> Reader:
    settings = from_env()
    return kind(Clients(settings), settings, *arguments)


def _moment(at_ms: int | None) -> str:
    return "unknown" if at_ms is None else iso(at_ms)


def _print_values(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    print_table([*map(shown, columns)], [["" if value is None else shown(str(value)) for value in row] for row in rows])
