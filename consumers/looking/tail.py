"""``clickstream tail``: the stream's events as NDJSON on stdout."""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from time import time_ns

import click
import msgspec
from msgspec import UNSET

from clickstream.aws import Clients
from clickstream.consumers.looking.records import delivered, looked_at
from clickstream.consumers.runtime.loop.decoding import Rejection
from clickstream.consumers.runtime.loop.duplicates import SeenEvents
from clickstream.errors import UserMistake
from clickstream.records.following import follow
from clickstream.records.reading import Batch, Start
from clickstream.settings import from_env
from clickstream.terminal import parse_moment, shown


def parse_since(text: str, now_ms: int) -> Start:
    """TRIM_HORIZON, LATEST or a time; raises click.BadParameter."""
    if text.upper() == "TRIM_HORIZON":
        return Start("TRIM_HORIZON")
    if text.upper() == "LATEST":
        return Start("LATEST")
    try:
        return Start("AT_TIMESTAMP", datetime.fromtimestamp(parse_moment(text, now_ms) / 1000, UTC))
    except UserMistake as error:
        raise click.BadParameter(f"{error}: TRIM_HORIZON, LATEST, or {error.hint}") from None


@click.command()
@click.option("--since", default="10m", show_default=True, help="10m (or s, h, d), TRIM_HORIZON, LATEST or an ISO time.")
@click.option("--follow", "forever", is_flag=True, help="Go on with what comes, also after a reshard.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after this many events.")
@click.option("--shard", help="Only this shard: its id, or the number in it.")
def tail(since: str, forever: bool, limit: int | None, shard: str | None) -> None:
    """Events of the stream as NDJSON on stdout, each once; what is not an event is reported on stderr.

    \b
    Example:
      clickstream tail --since 1h --limit 10
      clickstream tail --since LATEST --follow | jq -r .type
    """
    settings = from_env()
    start = parse_since(since, time_ns() // 1_000_000)
    batches = follow(Clients(settings).kinesis, settings.stream, start, only=shard, forever=forever)
    out = sys.stdout.buffer
    for_people, written, foreign = out.isatty(), 0, Counter[str]()
    for line in islice(_lines(batches, out.flush, foreign), limit):
        written += 1
        out.write(_safe(line) if for_people else line)
    out.flush()
    if not written and start.kind == "AT_TIMESTAMP":
        click.echo(f"no event since {since}: TRIM_HORIZON reads all that the stream keeps, --follow waits for more", err=True)
    if passed_over := foreign.total():
        click.echo(
            f"passed over {passed_over:,} events outside of their users' shards: a reshard overtook them and they are put "
            "again, or their producer does not put by user_id (docs/explanation/resharding.md)",
            err=True,
        )


def _safe(line: bytes) -> bytes:
    """The same JSON for a terminal: DEL and what lies from U+0080 on may stand in JSON as it is."""
    return line if line.isascii() and b"\x7f" not in line else shown(line[:-1].decode()).encode() + b"\n"


def _lines(batches: Iterable[Batch], flush: Callable[[], None], foreign: Counter[str]) -> Iterator[bytes]:
    """The events that their shards count; those that a shard refuses are counted, and what is no event is reported."""
    seen: dict[str, SeenEvents] = defaultdict(SeenEvents)
    for batch in batches:
        shard, own = batch.shard, seen[batch.shard.shard_id]
        for look in (look for record in batch.records for look in looked_at(delivered(record), shard)):
            put, data = look.record, look.record.data
            if isinstance(look.event, Rejection):
                where = f"{shard.shard_id} {put.sequence_number}.{put.sub_sequence_number}"
                click.echo(shown(f"{where}: {look.event.error}"), err=True)
            elif not look.at_home:
                foreign[shard.shard_id] += 1
            elif look.event.redriven_for is not UNSET or own.only_new([look.event], [put.approximate_arrival_timestamp]):
                # an event that was put with line breaks in it is one line here
                yield (data if b"\n" not in data else msgspec.json.format(data, indent=-1)) + b"\n"
        own.changes()  # unused here: dropped, so that they do not pile up
        flush()
