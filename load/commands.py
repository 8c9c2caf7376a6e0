"""``clickstream load``: replay a file, run generated traffic, verify the answers."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from clickstream.errors import UserMistake
from load.driving.run_command import run
from load.verdict.verify_command import JSON, STALL, report, verify

if TYPE_CHECKING:
    from producers.publisher.puts import Failed

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


@click.group()
def load() -> None:
    """Traffic for the stream, and the proof that its answers are right."""


load.add_command(run)
load.add_command(verify)


@load.command(
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
    from clickstream.settings import from_env
    from load.driving.driver import FLUSH_S
    from load.driving.pace import Pace
    from load.driving.terminal import progress_bar
    from load.replay import formats
    from load.replay import replay as replaying
    from load.verdict import subjects as truth
    from producers.publisher.kinesis import KinesisPublisher

    if dry_run:
        if verified:
            raise click.UsageError("--dry-run sends nothing that --verify could wait for")
        _check(file, file_format, as_json=as_json)
        return
    if verified and file == formats.STDIN:
        raise UserMistake("--verify reads the file a second time, which stdin cannot give", hint="name a file")
    settings = from_env()
    clients = Clients(settings)
    before = truth.counted(clients, settings, ("analytics",)) if verified else None
    with (
        formats.opened(file) as source,
        progress_bar("replaying (bytes)", source.size) as move,
        KinesisPublisher(settings, on_failed=_tell_failure) as publisher,
    ):
        tally = replaying.replay(
            formats.read(source.lines, formats.FORMATS[file_format]()),
            publisher,
            Pace(speed),
            on_fault=lambda fault: click.echo(f"{file}: {fault}", err=True),
            on_sent=lambda _sent: move(source.bytes_read()),
        )
        publisher.flush(FLUSH_S)
        counters = publisher.counters
        put = counters.delivered
    flushed_ms = _now_ms()
    click.echo(f"sent {tally.sent:,} events, {tally.rejected:,} lines rejected, {put:,} acknowledged", err=True)
    if counters.mispredicted:
        click.echo(
            f"the stream was resharded: {counters.mispredicted:,} records came elsewhere, {counters.reput:,} events put again",
            err=True,
        )
    if before is not None:
        from load.verdict import frames, oracle
        from load.verdict.verification import Expectation

        events = frames.from_file(Path(file), file_format)
        expected = Expectation(
            sent=tally.sent,
            put=put,
            events=events["event_id"].nunique(),
            dead_letters=0,
            flushed_ms=flushed_ms,
        )
        subject = truth.analytics(clients, settings, oracle.aggregate(events), before=before["analytics"])
        report(expected, {"analytics": subject}, None, stall_s, as_json)
    elif as_json:
        click.echo(msgspec.json.encode({"sent": tally.sent, "put": put, "rejected": tally.rejected}).decode())
    if put != tally.sent:
        raise click.exceptions.Exit(1)
    if tally.rejected:
        raise click.exceptions.Exit(_SOME_REJECTED)


def _check(file: str, file_format: str, *, as_json: bool) -> None:
    """What a replay would send, and every line that it would not."""
    from load.driving.terminal import progress_bar
    from load.replay import formats

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


def _tell_failure(failed: Failed) -> None:
    click.echo(f"not delivered: {failed.error}", err=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@load.command()
@click.argument("events", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("labels", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--people", default=3_000, show_default=True, type=click.IntRange(1, 100_000), help="Visitors.")
@click.option("--days", default=45, show_default=True, type=click.IntRange(1, 400), help="Length.")
@click.option("--seed", default=1, show_default=True, help="The same seed is the same history.")
@click.option(
    "--from", "start", default="2026-09-01", show_default=True, type=click.DateTime(["%Y-%m-%d"]), help="First day, UTC."
)
def history(events: Path, labels: Path, people: int, days: int, seed: int, start: datetime) -> None:
    """Weeks of a shop with fraud in it, as training data: EVENTS in NDJSON, LABELS in CSV (event_id, fraud, kind).

    Nothing is sent. Genuine people have habits, and break them; frauds are account takeovers, card testing, new accounts that
    bust out, and insiders, who are hardly to be seen.

    \b
    Example:
      clickstream load history events.ndjson labels.csv
      clickstream models train fraud events.ndjson --labels labels.csv --promote
    """
    from clickstream.events import encode
    from load.traffic import adversaries

    start_ms = int(start.replace(tzinfo=UTC).timestamp() * 1000)
    made = adversaries.history(seed, people=people, days=days, start_ms=start_ms)
    with events.open("wb") as lines:
        lines.writelines(encode(event) + b"\n" for event in made.events)
    with labels.open("w") as rows:
        rows.writelines(adversaries.label_lines(made))
    click.echo(f"{len(made.events):,} events, {len(made.frauds):,} fraudulent purchases", err=True)
