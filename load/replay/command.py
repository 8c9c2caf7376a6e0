"""``clickstream load replay``."""

from __future__ import annotations

import math
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import click
import msgspec

from clickstream.load.verdict.command import JSON, STALL, report

if TYPE_CHECKING:
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


@click.command(
    epilog="Exit code 3: some lines were no events (each is reported). With --verify, 1: an answer is not what it must be."
)
@click.argument("file", metavar="FILE")
@click.option(
    "--format", "file_format", default="ndjson", show_default=True, type=click.Choice(["ndjson", "taobao"]), help="Of FILE."
)
@click.option("--speed", default="max", show_default=True, type=Speed(), help="N times the original pace, or max.")
@click.option(
    "--verify", "verified", is_flag=True, help="Wait for the answers and compare every one with batch pandas over the lines."
)
@STALL
@click.option("--dry-run", is_flag=True, help="Only check the lines; nothing is sent.")
@JSON
def replay(file: str, file_format: str, speed: float, verified: bool, stall_s: float, dry_run: bool, as_json: bool) -> None:
    """Put the events of FILE on the stream (plain, gzip or zstd; - is stdin).

    --verify: what other events of the stream come to in the same windows is counted in, and an event that was put before by
    its id, which counts once. Nobody else may put events meanwhile.

    \b
    ndjson   one event a line, any schema version, with event_id and occurred_at: a replay compares by id
             (`clickstream produce` takes events without)
    taobao   user,item,category,behavior,unix seconds
    \b
    Example:
      clickstream load replay UserBehavior.csv.gz --format taobao --speed max --verify
    """
    from clickstream.aws import Clients
    from clickstream.load.driving.driver import FLUSH_S
    from clickstream.load.driving.pace import Pace, now_ms
    from clickstream.load.driving.terminal import progress_bar
    from clickstream.load.replay import formats, replayer
    from clickstream.load.verdict import subjects
    from clickstream.producers import lines
    from clickstream.producers.publisher.kinesis import KinesisPublisher
    from clickstream.settings import from_env

    if dry_run:
        if verified:
            raise click.UsageError("--dry-run sends nothing that --verify could wait for")
        _check(file, file_format, as_json=as_json)
        return
    settings = from_env()
    clients = Clients(settings)
    with (
        lines.opened(file) as source,
        TemporaryFile() as spool,
        progress_bar("replaying (bytes)", source.size) as move,
        KinesisPublisher(settings, on_failed=_report_failure) as publisher,
    ):
        account = replayer.Account(spool, file_format)
        if verified:
            from clickstream.load.verdict import others

            before = subjects.counted(clients, settings, ("analytics",))["analytics"]
            earlier = others.on_stream(clients, settings)

        def on_sent(line: formats.Line) -> None:
            move(source.bytes_read())
            if verified:
                account.add(line, now_ms())

        tally = replayer.replay(
            formats.read(source.lines, formats.FORMATS[file_format]()),
            publisher,
            Pace(speed),
            on_fault=lambda fault: click.echo(f"{file}: {fault}", err=True),
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
        from clickstream.load.verdict import oracle
        from clickstream.load.verdict.comparers.aggregates import Window
        from clickstream.load.verdict.verification import Expectation

        windows, among = oracle.aggregate(own), others.among(earlier, own)
        expected = Expectation(
            sent=tally.sent, put=put, events=among.own, repeated=tally.sent - among.own, dead_letters=0, flushed_ms=flushed_ms
        )
        # what was counted and has left the stream may be in any window
        known = among.counted - among.own == before.events
        truth = (among.windows, frozenset[Window]()) if known else (windows, frozenset(windows))
        subject = subjects.analytics(clients, settings, windows, lambda: truth, before=before)
        report(expected, {"analytics": subject}, None, stall_s, as_json)
    elif as_json:
        click.echo(msgspec.json.encode({"sent": tally.sent, "put": put, "rejected": tally.rejected}).decode())
    if put != tally.sent:
        raise click.exceptions.Exit(1)
    if tally.rejected:
        raise click.exceptions.Exit(_SOME_REJECTED)


def _check(file: str, file_format: str, *, as_json: bool) -> None:
    """What a replay would send, and every line that it would not."""
    from clickstream.load.driving.terminal import progress_bar
    from clickstream.load.replay import formats
    from clickstream.producers import lines

    sent = rejected = 0
    with lines.opened(file) as source, progress_bar("checking (bytes)", source.size) as move:
        for entry in formats.read(source.lines, formats.FORMATS[file_format]()):
            if isinstance(entry, formats.Line):
                sent += 1
                move(source.bytes_read())
            else:
                rejected += not entry.tail
                click.echo(f"{file}: {entry}", err=True)
    click.echo(f"would send {sent:,} events; {rejected:,} lines rejected", err=True)
    if as_json:
        click.echo(msgspec.json.encode({"sent": sent, "rejected": rejected}).decode())
    if rejected:
        raise click.exceptions.Exit(_SOME_REJECTED)


def _report_failure(failed: Failed) -> None:
    click.echo(f"not delivered: {failed.error}", err=True)
