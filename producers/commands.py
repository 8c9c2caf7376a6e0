"""``clickstream produce``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from time import monotonic, sleep, time_ns
from typing import TYPE_CHECKING

import click
import msgspec

from clickstream.envelope import Event
from clickstream.errors import Rejected
from clickstream.producers import lines
from clickstream.producers.client import new_id
from clickstream.producers.door import Entered, like
from clickstream.producers.publisher.limits import Limits
from clickstream.settings import from_env
from clickstream.terminal import shown

if TYPE_CHECKING:
    from clickstream.producers.publisher.puts import Failed

SOME_REJECTED = 3
"""Exit code: done, but some input was rejected."""
_SHOWN, _MOST_NAMES = 10, 1_000
"""Of the properties that were not kept: told in a line, and counted apart."""


class Tally(msgspec.Struct):
    """What became of the input; printed as JSON at the end. What the publisher counts, too, is as in its ``Counters``."""

    lines: int = 0
    sent: int = 0
    delivered: int = 0
    rejected: int = 0
    failed: int = 0
    records: int = 0
    throttled: int = 0
    retried: int = 0
    mispredicted: int = 0
    reput: int = 0
    assigned: Counter[str] = msgspec.field(default_factory=Counter)
    """Events without an ``event_id`` or ``occurred_at``, which got one here."""
    not_kept: Counter[str] = msgspec.field(default_factory=Counter)
    """Events by property that their type does not declare (``page_view $.colour``)."""
    seconds: float = 0.0


@click.command()
@click.argument("file", default="-")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Events per second at most (default: full speed).")
@click.option("--dry-run", is_flag=True, help="Only check the lines; nothing is put.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary as one JSON object on stdout.")
@click.option("--aggregate/--no-aggregate", default=True, help="Pack many events into a record (default), or put each alone.")
@click.pass_context
def produce(ctx: click.Context, file: str, rate: float | None, dry_run: bool, as_json: bool, aggregate: bool) -> None:
    """Put NDJSON events from FILE (plain, gzip or zstd; - is stdin) on the stream.

    A line that is not an event is reported on stderr with its number, and the rest goes on; the exit code is then 3.
    An event without an event_id or occurred_at gets a new id and the present time: put again, it counts again.

    \b
    Example:
      clickstream produce events.ndjson --dry-run
      clickstream produce events.ndjson.gz --rate 500
    """
    tally = Tally()
    started = monotonic()
    with lines.opened(file) as source:
        if dry_run:
            tally.sent = sum(1 for _ in _entered(source, tally))
        else:
            _put(source, tally, rate, Limits(records=None if aggregate else "single"))
    tally.seconds = round(monotonic() - started, 3)
    if as_json:
        click.echo(msgspec.json.encode(tally))
    else:
        did = f"{tally.sent:,} valid" if dry_run else f"{tally.delivered:,} delivered in {tally.records:,} records"
        click.echo(f"{tally.lines:,} lines: {did}, {tally.rejected:,} rejected, {tally.failed:,} failed", err=True)
        if tally.assigned:
            given = "would be given" if dry_run else "given here"
            click.echo(f"{given}: {_counted(tally.assigned)}; the same lines put again get others", err=True)
        if tally.not_kept:
            click.echo(f"not kept, since no type declares it: {_counted(tally.not_kept)}", err=True)
            for name in sorted({each.partition("$.")[2] for each in tally.not_kept}):
                if meant := like(name, Event.__struct_fields__):
                    click.echo(f"did you mean {meant} by {name}?", err=True)
            click.echo("hint: a misspelt name, or one to declare: docs/reference/own-events.md", err=True)
    if tally.failed:
        ctx.exit(1)
    if tally.rejected:
        ctx.exit(SOME_REJECTED)


def _counted(counts: Counter[str]) -> str:
    more = [f"{len(counts) - _SHOWN:,} more"] if len(counts) > _SHOWN else []
    return ", ".join([*(f"{name} ({count:,})" for name, count in counts.most_common(_SHOWN)), *more])


def _put(source: lines.Source, tally: Tally, rate: float | None, limits: Limits) -> None:
    # boto3 is not imported for --dry-run
    from clickstream.producers.publisher.kinesis import KinesisPublisher

    def on_failed(failed: Failed) -> None:
        click.echo(shown(f"failed: event of user {failed.key}: {failed.error}"), err=True)

    with KinesisPublisher(from_env(), limits, on_failed=on_failed) as publisher:
        started = monotonic()
        for number, entered in _entered(source, tally):
            if rate is not None:
                sleep(max(0.0, started + tally.sent / rate - monotonic()))
            try:
                publisher.put_raw(entered.event.user_id, entered.data)
            except Rejected as error:
                _report(number, error, tally)
            else:
                tally.sent += 1
        publisher.flush()
        counters = publisher.counters
    for name in ("delivered", "failed", "records", "throttled", "retried", "mispredicted", "reput"):
        setattr(tally, name, getattr(counters, name))


def _entered(source: lines.Source, tally: Tally) -> Iterator[tuple[int, Entered]]:
    """The events by their lines' numbers; wrong lines are reported, and a person who watches a file being read sees a bar."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    is_watched = source.size is not None and sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not is_watched) as progress:
        task = progress.add_task("", total=source.size)
        for number, entered in lines.read(source.lines, new_id, lambda: time_ns() // 1_000_000):
            tally.lines += 1
            if tally.lines % 1_000 == 0:
                progress.update(task, completed=source.bytes_read())
            if isinstance(entered, Rejected):
                _report(number, entered, tally)
            else:
                _note(entered, tally)
                yield number, entered


def _note(entered: Entered, tally: Tally) -> None:
    tally.assigned.update(entered.assigned.keys())
    for path in entered.not_kept:
        name = f"{entered.event.type} {path}"
        tally.not_kept[name if name in tally.not_kept or len(tally.not_kept) < _MOST_NAMES else "others"] += 1


def _report(number: int, error: Rejected, tally: Tally) -> None:
    tally.rejected += 1
    click.echo(shown(f"line {number}: {error.reason} at {error.path}"), err=True)
