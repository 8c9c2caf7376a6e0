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

if TYPE_CHECKING:
    from clickstream.settings import Settings
    from load.progress import Counted
    from load.verification import Expectation, Report
    from producers.puts import Failed

#: Done, but some input was rejected (see clickstream.cli).
_SOME_REJECTED = 3

_JSON = click.option("--json", "as_json", is_flag=True, help="The report as one JSON object on stdout.")
_STALL = click.option(
    "--stall",
    "stall_s",
    default=120.0,
    show_default=True,
    type=click.FloatRange(min=1),
    help="Verifying: give up when analytics has not moved for this many seconds.",
)


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


@load.command(
    epilog="Exit code 3: some lines were no events (each is reported). With --verify, 1: an answer is not what it must be."
)
@click.argument("file", metavar="FILE")
@click.option(
    "--format", "file_format", default="ndjson", show_default=True, type=click.Choice(["ndjson", "taobao"]), help="Of FILE."
)
@click.option("--speed", default="max", show_default=True, type=Speed(), help="N times the original pace, or max.")
@click.option("--verify", is_flag=True, help="Wait for the answers and compare every one with batch pandas over the file.")
@_STALL
@click.option("--dry-run", is_flag=True, help="Only check the lines; nothing is sent.")
@_JSON
def replay(file: str, file_format: str, speed: float, verify: bool, stall_s: float, dry_run: bool, as_json: bool) -> None:
    """Put the events of FILE on the stream (plain or gzip; - is stdin).

    \b
    ndjson   one event a line, any schema version
    taobao   user,item,category,behavior,unix seconds
    \b
    Example:
      clickstream load replay UserBehavior.csv.gz --format taobao --speed max --verify
    """
    from clickstream.settings import from_env
    from load import formats
    from load import replay as replaying
    from load.driver import FLUSH_S
    from load.pace import Pace
    from load.terminal import progress_bar
    from producers.kinesis import KinesisPublisher

    if dry_run:
        if verify:
            raise click.UsageError("--dry-run sends nothing that --verify could wait for")
        _check(file, file_format, as_json=as_json)
        return
    if verify and file == formats.STDIN:
        raise UserMistake("--verify reads the file a second time, which stdin cannot give", hint="name a file")
    settings = from_env()
    before = _counted(settings) if verify else None
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
        from load import frames, oracle
        from load.verification import Expectation

        events = frames.from_file(Path(file), file_format)
        expected = Expectation(
            sent=tally.sent,
            put=put,
            events=events["event_id"].nunique(),
            dead_letters=0,
            windows=oracle.aggregate(events),
            before=before,
            flushed_ms=flushed_ms,
        )
        _verify(settings, expected, stall_s, as_json)
    elif as_json:
        click.echo(msgspec.json.encode({"sent": tally.sent, "put": put, "rejected": tally.rejected}).decode())
    if put != tally.sent:
        raise click.exceptions.Exit(1)
    if tally.rejected:
        raise click.exceptions.Exit(_SOME_REJECTED)


def _check(file: str, file_format: str, *, as_json: bool) -> None:
    """What a replay would send, and every line that it would not."""
    from load import formats
    from load.terminal import progress_bar

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


@load.command()
@click.option("--rate", default=500.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Records per second.")
@click.option("--duration", default=60.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Seconds.")
@click.option("--seed", default=1, show_default=True, help="The same seed is the same traffic.")
@click.option("--faults/--no-faults", default=True, show_default=True, help="Client retries, late events, malformed records.")
@click.option("--ledger", type=click.Path(dir_okay=False, path_type=Path), help="Where to write what must come out.")
@click.option("--no-ledger", is_flag=True, help="Keep no account: for runs that nobody will verify.")
@click.option("--max-records", default=1_000_000, show_default=True, type=click.IntRange(1, 5_000_000), help="Hard cap.")
@click.option("--allow-remote", is_flag=True, help="Permit a stream that is not on this machine.")
@click.option("--dry-run", is_flag=True, help="Print the records as NDJSON instead of sending them.")
@_JSON
def run(
    rate: float,
    duration: float,
    seed: int,
    faults: bool,
    ledger: Path | None,
    no_ledger: bool,
    max_records: int,
    allow_remote: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Generated visitors, open loop: every record leaves at its intended time, and lateness is measured from there.

    \b
    Example:
      clickstream load run --rate 2000 --duration 120 --seed 7
      clickstream load verify
    """
    from clickstream.settings import from_env
    from load import runs
    from load.driver import Plan, require_loopback
    from load.faults import Rates
    from load.generator import shop_for

    rates = Rates() if faults else Rates(retry=0, late=0, malformed=0)
    plan = Plan(rate=rate, duration_s=duration, seed=seed, max_records=max_records, shop=shop_for(rate), rates=rates)
    if dry_run:
        runs.print_records(plan, _now_ms())
        return
    settings = from_env()
    require_loopback(settings, allow_remote=allow_remote)
    path = None if no_ledger else ledger or settings.local_dir / "ledger.json"
    outcome = runs.run(plan, settings, None if path is None else _counted(settings), _now_ms)
    if path is not None:
        outcome.ledger.write(path)
        click.echo(f"ledger: {path}", err=True)
    if as_json:
        click.echo(msgspec.json.encode(outcome.summary()).decode())
    else:
        click.echo(str(outcome))
    if outcome.ledger.put != outcome.ledger.sent:
        raise click.exceptions.Exit(1)
    if outcome.interrupted:
        raise click.exceptions.Exit(130)


@load.command()
@click.option("--ledger", type=click.Path(dir_okay=False, path_type=Path), help="What `load run` wrote; default: its default.")
@_STALL
@_JSON
def verify(ledger: Path | None, stall_s: float, as_json: bool) -> None:
    """Wait until analytics has all of the last run, then compare every answer with its ledger; exit 0 only if exact.

    Nobody else may have used the stream since. Windows that began before the run are compared only if it was the first.

    \b
    Example:
      clickstream load verify --json
    """
    from clickstream.settings import from_env
    from load import ledger as ledgers

    settings = from_env()
    book = ledgers.read(ledger or settings.local_dir / "ledger.json")
    if book.stream != settings.stream:
        raise UserMistake(f"the ledger is of the stream {book.stream}, not {settings.stream}", hint="see CLICKSTREAM_NAME")
    _verify(settings, book.expectation(), stall_s, as_json)


def _verify(settings: Settings, expected: Expectation, stall_s: float, as_json: bool) -> None:
    """Print the report; exit 1 unless everything is equal."""
    from clickstream.aws import Clients
    from load import answers, progress, verification
    from load.terminal import progress_bar

    dynamodb = Clients(settings).dynamodb
    stores = verification.Stores(look=lambda: progress.read(dynamodb, settings, verification.APPLICATION), ask=answers.ask)
    click.echo("waiting until analytics is complete", err=True)
    with progress_bar("processed", expected.sent) as move:
        report = verification.verify(expected, stores, stall_s=stall_s, on_progress=move)
    _print(report, as_json)
    if not report.ok:
        raise click.exceptions.Exit(1)


def _print(report: Report, as_json: bool) -> None:
    from load.verification import told

    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        click.echo(told(report))


def _tell_failure(failed: Failed) -> None:
    click.echo(f"not delivered: {failed.error}", err=True)


def _counted(settings: Settings) -> Counted:
    """What analytics has counted so far."""
    from clickstream.aws import Clients
    from load import progress
    from load.verification import APPLICATION

    return progress.counted(progress.read(Clients(settings).dynamodb, settings, APPLICATION))


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
    from load import adversaries

    start_ms = int(start.replace(tzinfo=UTC).timestamp() * 1000)
    made = adversaries.history(seed, people=people, days=days, start_ms=start_ms)
    with events.open("wb") as lines:
        lines.writelines(encode(event) + b"\n" for event in made.events)
    with labels.open("w") as rows:
        rows.writelines(adversaries.label_lines(made))
    click.echo(f"{len(made.events):,} events, {len(made.frauds):,} fraudulent purchases", err=True)
