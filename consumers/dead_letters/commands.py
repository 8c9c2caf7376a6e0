"""``clickstream dlq``: look at rejected records, and give them another try."""

import base64
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from time import time_ns
from typing import Any

import click

from clickstream import events
from clickstream.aws import Clients
from clickstream.aws.boto_types import KinesisClient
from clickstream.consumers.dead_letters.letters import Queue, Received, reading
from clickstream.consumers.dead_letters.redriving import Decision, decide
from clickstream.consumers.looking.records import delivered
from clickstream.consumers.runtime.faults.dead_letters import DeadLetter
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.errors import Rejected, UserMistake
from clickstream.events import AnyEvent
from clickstream.failures.outages import translated
from clickstream.records.following import follow
from clickstream.records.reading import Start
from clickstream.settings import Settings, from_env
from clickstream.terminal import json_line, parse_moment, shown


@click.group()
def dlq() -> None:
    """Records that were no events, effects that no store takes, and why; and the way back once the cause is mended."""


def _letters(command: click.Command) -> click.Command:
    """Options of commands on many letters; but for ``as_json`` they are those of ``_chosen``."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON object per letter, each on a line."),
        click.option("--id", "ids", multiple=True, help="Only this letter (as `list` shows it), or this event id."),
        click.option("--since", help="Only what arrived since: 10m (s, m, h, d) or an ISO time."),
        click.option("--reason", help="Only letters whose reason contains this text."),
        click.option("--app", help="Only this application's letters."),
    ):
        command = option(command)
    return command


@dlq.command("list")
@_letters  # type: ignore[arg-type]  # click decorates functions and commands alike
def list_letters(as_json: bool, **filters: Any) -> None:
    """One line per dead letter, oldest first. Letters stay in the queue.

    \b
    Example:
      clickstream dlq list --since 1h --reason amount
      clickstream dlq list --json | jq -r .reason | sort | uniq -c
    """
    clients, settings = _surroundings()
    with reading(clients, settings) as queue:
        for each in _chosen(queue, **filters):
            letter = each.letter
            arrived = datetime.fromtimestamp(letter.arrived_ms / 1000, UTC).isoformat(timespec="milliseconds")
            if as_json:
                click.echo(json_line(_described(each)))
            else:
                place = f"{letter.shard} {letter.application}"
                what = "effect: " if letter.effect is not None else "set aside: " if letter.traceback else ""
                line = f"{each.id}  {arrived}  {place}  {letter.event_id or '-'}  {what}{letter.reason} at {letter.path}"
                click.echo(shown(line))


@dlq.command()
@click.argument("letter")
def show(letter: str) -> None:
    """Everything about one LETTER (its id, or its event's): the raw bytes as text or base64, or the effect; a bug's traceback.

    \b
    Example:
      clickstream dlq show 3f9c2a41d07e
    """
    clients, settings = _surroundings()
    with reading(clients, settings) as queue:
        found = _chosen(queue, ids=[letter])
        if not found:
            raise UserMistake(f"no dead letter {letter!r} is visible", hint="clickstream dlq list; others may be reading it")
        for each in found:
            click.echo(json_line(_described(each) | _whole(each.letter)))


@dlq.command()
@_letters  # type: ignore[arg-type]  # click decorates functions and commands alike
@click.option("--dry-run", is_flag=True, help="Say what would be done, do nothing.")
def redrive(dry_run: bool, as_json: bool, **filters: Any) -> int:
    """Put letters that are events by today's code back on the stream, for the application that had rejected them.

    An event that was applied meanwhile is not put again. Exit code 3 when letters stay: they are still no events, or they hold
    an effect that a store refused. Its event was folded, so it must not be folded again; mend the store, and replay.

    \b
    Example:
      clickstream dlq redrive --app fraud --dry-run
      clickstream dlq redrive --app fraud
    """
    clients, settings = _surroundings()
    counts = {"put": 0, "dropped": 0, "kept": 0}
    with reading(clients, settings) as queue:
        letters = _chosen(queue, **filters)
        stream = _later_in_stream(clients.kinesis, settings.stream, letters) if letters else ()
        for decision in decide(letters, stream):
            if not dry_run:
                _carry_out(decision, clients.kinesis, settings.stream, queue)
            counts[decision.word] += 1
            if as_json:
                click.echo(json_line({"letter": decision.received.id, "decision": decision.word, "why": decision.why}))
            else:
                click.echo(shown(f"{decision.received.id}  {decision.word}  {decision.why}"))
    said = ", ".join(f"{count:,} {word}" for word, count in counts.items())
    click.echo(f"{'would be: ' if dry_run else ''}{said}", err=True)
    return 3 if counts["kept"] else 0


def _carry_out(decision: Decision, kinesis: KinesisClient, stream: str, queue: Queue) -> None:
    if (event := decision.event) is not None:
        with translated("Kinesis"):
            kinesis.put_record(StreamName=stream, PartitionKey=event.user_id, Data=events.encode(event))
    if decision.word != "kept":
        # only after Kinesis has the event: a crash in between finds it in the stream at the next redrive
        queue.delete([decision.received])


def _chosen(
    queue: Queue, ids: Sequence[str], app: str | None = None, reason: str | None = None, since: str | None = None
) -> list[Received]:
    after_ms = parse_moment(since, time_ns() // 1_000_000) if since else 0
    return [
        each
        for each in queue.receive()
        if (app is None or each.letter.application == app)
        and (reason is None or reason.lower() in each.letter.reason.lower())
        and each.letter.arrived_ms >= after_ms
        and (not ids or each.id in ids or each.letter.event_id in ids)
    ]


def _later_in_stream(kinesis: KinesisClient, stream: str, letters: Sequence[Received]) -> Iterator[tuple[Record, AnyEvent]]:
    """Every valid event from the oldest letter's arrival on; needs the stream's retention to reach back that far."""
    oldest = datetime.fromtimestamp(min(each.letter.arrived_ms for each in letters) / 1000, UTC)
    for batch in follow(kinesis, stream, Start("AT_TIMESTAMP", oldest), forever=False):
        for record in batch.records:
            for each in delivered(record):
                with suppress(Rejected):
                    yield each, events.decode(each.data)


def _surroundings() -> tuple[Clients, Settings]:
    settings = from_env()
    return Clients(settings), settings


def _described(each: Received) -> dict[str, Any]:
    letter = each.letter
    names = ("application", "shard", "position", "partition_key", "arrived_ms", "reason", "path", "event_id", "code_version")
    return {"letter": each.id} | {name: getattr(letter, name) for name in names} | {"bytes": len(letter.data)}


def _whole(letter: DeadLetter) -> dict[str, str]:
    """What only `show` says: the record's bytes or the effect, and the bug if it was one."""
    bug = {} if letter.traceback is None else {"traceback": letter.traceback}
    if letter.effect is not None:
        return {"effect": letter.effect} | bug
    try:
        return {"text": letter.data.decode()} | bug
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(letter.data).decode()} | bug
