"""``clickstream load replay``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from clickstream.errors import UserMistake
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
    "--verify", "verified", is_flag=True, help="Wait for the answers and compare every one with batch pandas over the file."
)
@STALL
@click.option("--dry-run", is_flag=True, help="Only check the lines; nothing is sent.")
@JSON
def replay(file: str, file_format: str, speed: float, verified: bool, stall_s: float, dry_run: bool, as_json: bool) -> None:
    """Put the events of FILE on the stream (plain or gzip; - is stdin).

    \b
    ndjson   one event a line, any schema version
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
    from clickstream.producers.publisher.kinesis import KinesisPublisher
    from clickstream.settings import from_env

    if dry_run:
        if verified:
            raise click.UsageError("--dry-run sends nothing that --verify could wait for")
        _check(file, file_format, as_json=as_json)
        return
    if verified and file == formats.STDIN:
        raise UserMistake("--verify reads the file a second time, which stdin cannot give", hint="name a file")
    settings = from_env()
    clients = Clients(settings)
    before = subjects.counted(clients, settings, ("analytics",)) if verified else None
    with (
        formats.opened(file) as source,
        progress_bar("replaying (bytes)", source.size) as move,
        KinesisPublisher(settings, on_failed=_report_failure) as publisher,
    ):
        tally = replayer.replay(
            formats.read(source.lines, formats.FORMATS[file_format]()),
            publisher,
            Pace(speed),
            on_fault=lambda fault: click.echo(f"{file}: {fault}", err=True),
            on_sent=lambda _sent: move(source.bytes_read()),
        )
        publisher.flush(FLUSH_S)
        counters = publisher.counters
    put, flushed_ms = counters.delivered, now_ms()
    click.echo(f"sent {tally.sent:,} events, {tally.rejected:,} lines rejected, {put:,} acknowledged", err=True)
    if counters.mispredicted:
        click.echo(
            f"the stream was resharded: {counters.mispredicted:,} records came elsewhere, {counters.reput:,} events put again",
            err=True,
        )
    if before is not None:
        from clickstream.load.verdict import frames, oracle
        from clickstream.load.verdict.verification import Expectation

        events = frames.from_file(Path(file), file_format)
        expected = Expectation(
            sent=tally.sent,
            put=put,
            events=events["event_id"].nunique(),
            dead_letters=0,
            flushed_ms=flushed_ms,
        )
        subject = subjects.analytics(clients, settings, oracle.aggregate(events), before=before["analytics"])
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

    sent = rejected = 0
    with formats.opened(file) as source, progress_bar("checking (bytes)", source.size) as move:
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
