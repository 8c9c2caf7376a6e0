"""``clickstream load replay``."""

from __future__ import annotations

import math
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import click
import msgspec

from clickstream.load.verdict.command import JSON, STALL, report

if TYPE_CHECKING:
    from clickstream.load.replay.inputs import Input
    from clickstream.producers.publisher.puts import Failed

#: Done, but some input was rejected (see clickstream.cli).
_SOME_REJECTED = 3


class Speed(click.ParamType[float]):
    """``max``, or how many times as quick as it happened."""

    name = "max|N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if value == "max":
            return math.inf
        try:
            speed = float(value)
        except ValueError:
            speed = math.nan
        if not speed > 0:
            self.fail(f"{value!r} is neither max nor a positive number", param, ctx)
        return speed


class Pair(click.ParamType[tuple[str, str]]):
    """``NAME=VALUE``."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, equals, what = str(value).partition("=")
        if not (name and equals and what):
            self.fail(f"{value!r} is not {self.name}", param, ctx)
        return name, what


PAIR = Pair()
Pairs = tuple[tuple[str, str], ...]


@click.command(
    epilog="Exit code 3: some lines were no events (each is reported). With --verify, 1: an answer is not what it must be."
)
@click.argument("file", metavar="FILE|FOLDER")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["ndjson", "taobao", "csv", "parquet"]),
    help="Default: as each file's content and name tell.",
)
@click.option("--map", "columns", metavar="FIELD=COLUMN", multiple=True, type=PAIR, help="Of a table: which column is a field.")
@click.option("--set", "texts", metavar="FIELD=TEXT", multiple=True, type=PAIR, help="Of a table: a field that every row has.")
@click.option("--type", "types", metavar="WORD=TYPE", multiple=True, type=PAIR, help="Of a table: the type that a word means.")
@click.option("--columns", "header", metavar="NAME,…", help="Of CSV without a header.")
@click.option("--major-units", is_flag=True, help="Of a table: money is 12.34, and not 1234.")
@click.option("--speed", default="max", show_default=True, type=Speed(), help="N times the original pace, or max.")
@click.option(
    "--verify", "verified", is_flag=True, help="Wait for the answers and compare every one with batch pandas over the lines."
)
@STALL
@click.option("--dry-run", is_flag=True, help="Only check the lines; nothing is sent.")
@JSON
def replay(
    file: str,
    file_format: str | None,
    columns: Pairs,
    texts: Pairs,
    types: Pairs,
    header: str | None,
    major_units: bool,
    speed: float,
    verified: bool,
    stall_s: float,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put the events of FILE, or of all files of FOLDER, on the stream (plain, gzip or zstd; - is stdin).

    --verify: what other events of the stream come to in the same windows is counted in, and an event that was put before by
    its id, which counts once. Windows into which others put events meanwhile are left out, and counted.

    \b
    ndjson   one event a line, any schema version, with event_id and occurred_at: a replay compares by id
             (`clickstream produce` takes events without)
    csv      with a header; fields apart by comma, semicolon, tab or bar
    parquet
    taobao   user,item,category,behavior,unix seconds
    \b
    Columns of csv and parquet are fields by their names, or by --map. Times are ISO 8601, or numbers since the epoch in seconds
    to nanoseconds. What is missing is made: event_id, session_id (which ends with 30 minutes of pause), order_id, and
    of a purchase amount and items, from price, quantity and product_id. A field in a field is context.country, say.
    \b
    Example:
      clickstream load replay UserBehavior.csv.gz --format taobao --speed max --verify
      clickstream load replay shop.csv --map user_id=visitorid --map occurred_at=timestamp --map type=event \\
        --map product_id=itemid --type view=product_view --type addtocart=add_to_cart --verify
    """
    from clickstream.aws import Clients
    from clickstream.load.driving.driver import FLUSH_S
    from clickstream.load.driving.pace import Pace, now_ms
    from clickstream.load.driving.terminal import progress_bar
    from clickstream.load.replay import formats, replayer
    from clickstream.load.replay.inputs import Form, Input
    from clickstream.load.replay.mapping import ColumnMap
    from clickstream.load.verdict import subjects
    from clickstream.producers.publisher.kinesis import KinesisPublisher
    from clickstream.records.kinesis import list_shards
    from clickstream.settings import from_env

    if dry_run and verified:
        raise click.UsageError("--dry-run sends nothing that --verify could wait for")
    mapping = ColumnMap(columns=dict(columns), texts=dict(texts), types=dict(types), major_units=major_units)
    form = Form(file_format, mapping, tuple(header.split(",")) if header else ())
    source = Input(file, form)
    if dry_run:
        _check(source, as_json=as_json)
        return
    settings = from_env()
    clients = Clients(settings)
    with (
        TemporaryFile() as spool,
        progress_bar("replaying (bytes)", source.size) as move,
        KinesisPublisher(settings, on_failed=_report_failure) as publisher,
    ):
        account = replayer.Account(spool, "taobao" if file_format == "taobao" else "ndjson")
        started_ms = now_ms()
        if verified:
            from clickstream.load.replay.replayed import Earlier

            before = subjects.counted(clients, settings, ("analytics",))["analytics"]
            earlier = Earlier.of(clients, settings, before, Input(file, form), started_ms)

        def on_sent(line: formats.Line) -> None:
            move(source.bytes_read())
            if verified:
                account.add(line, now_ms())

        tally = replayer.replay(
            source,
            publisher,
            Pace(speed),
            on_fault=lambda fault: click.echo(f"{source.name}: {fault}", err=True),
            on_sent=on_sent,
        )
        publisher.flush(FLUSH_S)
        counters = publisher.counters
        if verified:
            own = account.frame()
    put, flushed_ms = counters.delivered, now_ms()
    click.echo(f"sent {tally.sent:,} events, {tally.rejected:,} lines rejected, {put:,} acknowledged", err=True)
    if counters.mispredicted:
        click.echo(
            f"the stream was resharded: {counters.mispredicted:,} records came elsewhere, {counters.reput:,} events put again",
            err=True,
        )
    if verified:
        from clickstream.load.replay.replayed import Replayed

        shards = list_shards(clients.kinesis, settings.stream)
        replayed = Replayed(
            clients=clients,
            settings=settings,
            own=own,
            earlier=earlier,
            before=before,
            put=put,
            started_ms=started_ms,
            flushed_ms=flushed_ms,
            # a closed shard's events were in another's order
            starts=sorted(int.from_bytes(each.hash_range.start, "big") for each in shards)
            if all(each.is_open for each in shards)
            else (),
        )
        report(replayed.case(), replayed.case_among_others, stall_s, as_json)
    elif as_json:
        click.echo(msgspec.json.encode({"sent": tally.sent, "put": put, "rejected": tally.rejected}).decode())
    if put != tally.sent:
        raise click.exceptions.Exit(1)
    if tally.rejected:
        raise click.exceptions.Exit(_SOME_REJECTED)


def _check(source: Input, *, as_json: bool) -> None:
    """What a replay would send, and every line that it would not."""
    from clickstream.load.driving.terminal import progress_bar
    from clickstream.load.replay.formats import Line

    sent = rejected = 0
    with progress_bar("checking (bytes)", source.size) as move:
        for entry in source:
            if isinstance(entry, Line):
                sent += 1
                move(source.bytes_read())
            else:
                rejected += not entry.tail
                click.echo(f"{source.name}: {entry}", err=True)
    click.echo(f"would send {sent:,} events; {rejected:,} lines rejected", err=True)
    if as_json:
        click.echo(msgspec.json.encode({"sent": sent, "rejected": rejected}).decode())
    if rejected:
        raise click.exceptions.Exit(_SOME_REJECTED)


def _report_failure(failed: Failed) -> None:
    click.echo(f"not delivered: {failed.error}", err=True)
