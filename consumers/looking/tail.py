"""``clickstream tail``: the stream's events as NDJSON on stdout."""

import sys
from collections import defaultdict
from datetime import UTC, datetime
from time import time_ns
from typing import Any

import click
import msgspec
from msgspec import UNSET

from clickstream.aws import Clients
from clickstream.consumers.looking.records import delivered, looked_at
from clickstream.consumers.runtime.loop.decoding import Rejection
from clickstream.consumers.runtime.loop.duplicates import SeenEvents
from clickstream.errors import UserMistake
from clickstream.records.following import follow
from clickstream.records.reading import Start
from clickstream.records.routing import Shard
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
    client = Clients(settings).kinesis
    out = sys.stdout.buffer
    seen: dict[str, SeenEvents] = defaultdict(SeenEvents)
    written = foreign = 0
    for batch in follow(client, settings.stream, start, only=shard, forever=forever):
        for record in batch.records:
            if written == limit:
                break  # nothing is said of what comes after it
            lines, refused = _lines(batch.shard, record, seen[batch.shard.shard_id])
            foreign += refused
            lines = lines[: limit - written if limit else None]
            out.writelines(map(_safe, lines) if out.isatty() else lines)
            written += len(lines)
        seen[batch.shard.shard_id].changes()  # unused here: dropped, so that they do not pile up
        out.flush()
        if written == limit:
            break
    if not written and start.kind == "AT_TIMESTAMP":
        click.echo(f"no event since {since}: TRIM_HORIZON reads all that the stream keeps, --follow waits for more", err=True)
    if foreign:
        click.echo(
            f"passed over {foreign:,} events outside of their users' shards: a reshard overtook them and they are put again, "
            "or their producer does not put by user_id (docs/explanation/resharding.md)",
            err=True,
        )


def _safe(line: bytes) -> bytes:
    """The same JSON for a terminal: DEL and what lies from U+0080 on may stand in JSON as it is."""
    return line if line.isascii() and b"\x7f" not in line else shown(line[:-1].decode()).encode() + b"\n"


def _lines(shard: Shard, record: dict[str, Any], seen: SeenEvents) -> tuple[list[bytes], int]:
    """The events that the shard counts, as lines, and how many it refuses as foreign; what is no event is reported."""
    lines: list[bytes] = []
    foreign = 0
    for look in looked_at(delivered(record), shard):
        if isinstance(look.event, Rejection):
            put = look.record
            click.echo(shown(f"{shard.shard_id} {put.sequence_number}.{put.sub_sequence_number}: {look.event.error}"), err=True)
        elif not look.at_home:
            foreign += 1
        elif look.event.redriven_for is not UNSET or seen.only_new([look.event], [look.record.approximate_arrival_timestamp]):
            data = look.record.data
            # an event that was put with line breaks in it is one line here
            lines.append((data if b"\n" not in data else msgspec.json.format(data, indent=-1)) + b"\n")
    return lines, foreign
