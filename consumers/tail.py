"""``clickstream tail``: the stream's events as NDJSON on stdout."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import msgspec

from clickstream import aggregation, events
from clickstream.aws import Clients
from clickstream.errors import Rejected, Undecodable
from clickstream.routing import HASH_BYTES, HashRange, Shard, hash_key
from clickstream.settings import from_env
from consumers.follow import Start, follow

_AGO = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def user_records(record: dict[str, Any], home: HashRange) -> tuple[list[bytes], int]:
    """(the data that were put, how many were passed over) of a Kinesis record of a shard with this hash range.

    An aggregate with a member from outside of the range is passed over whole, as KCL does: a reshard overtook it, and its
    publisher puts all of it again. Raises Undecodable. ``record`` is a dict as boto3 has it.
    """
    data = record["Data"]
    if not aggregation.is_aggregated(data):
        return [data], 0
    members = aggregation.decode(data)
    if all(_hash(key, explicit) in home for key, explicit, _ in members):
        return [member for _, _, member in members], 0
    return [], len(members)


def _hash(key: str, explicit_hash_key: str | None) -> bytes:
    if explicit_hash_key is None:
        return hash_key(key)
    try:
        return int(explicit_hash_key).to_bytes(HASH_BYTES, "big")
    except (ValueError, OverflowError) as error:
        raise Undecodable(f"broken aggregate: explicit hash key {explicit_hash_key!r}") from error


def parse_since(text: str, now: datetime) -> Start:
    """``10m`` (s, m, h, d), TRIM_HORIZON, LATEST or an ISO time (UTC when it names no zone); raises click.BadParameter."""
    if text.upper() == "TRIM_HORIZON":
        return Start("TRIM_HORIZON")
    if text.upper() == "LATEST":
        return Start("LATEST")
    ago = _AGO.fullmatch(text)
    if ago:
        return Start("AT_TIMESTAMP", now - int(ago[1]) * _UNITS[ago[2]])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not 10m, TRIM_HORIZON, LATEST or an ISO time", param_hint="--since") from None
    return Start("AT_TIMESTAMP", moment if moment.tzinfo else moment.replace(tzinfo=UTC))


@click.command()
@click.option("--since", default="10m", show_default=True, help="10m (or s, h, d), TRIM_HORIZON, LATEST or an ISO time.")
@click.option("--follow", "forever", is_flag=True, help="Go on with what comes, also after a reshard.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after this many events.")
@click.option("--shard", help="Only this shard.")
def tail(since: str, forever: bool, limit: int | None, shard: str | None) -> None:
    """De-aggregated events of the stream as NDJSON on stdout; what is not an event is reported on stderr.

    \b
    Example:
      clickstream tail --since 1h --limit 10
      clickstream tail --since LATEST --follow | jq -r .type
    """
    settings = from_env()
    start = parse_since(since, datetime.now(UTC))
    client = Clients(settings).kinesis
    out = sys.stdout.buffer
    written = passed_over = 0
    for batch in follow(client, settings.stream, start, only=shard, forever=forever):
        for record in batch.records:
            lines, foreign = _lines(batch.shard, record)
            passed_over += foreign
            lines = lines[: limit - written if limit else None]
            out.writelines(lines)
            written += len(lines)
        out.flush()
        if written == limit:
            break
    if passed_over:
        click.echo(f"passed over {passed_over:,} events in aggregates that a reshard overtook; they are put again", err=True)


def _lines(shard: Shard, record: dict[str, Any]) -> tuple[list[bytes], int]:
    """The record's events as lines, and how many were passed over; what is no event is reported."""
    try:
        members, foreign = user_records(record, shard.hash_range)
    except Rejected as error:
        members, foreign = [], 0
        _report(shard, record, 0, error)
    lines: list[bytes] = []
    for number, data in enumerate(members):
        try:
            events.decode(data)
        except Rejected as error:
            _report(shard, record, number, error)
        else:
            # an event that was put with line breaks in it is one line here
            lines.append((data if b"\n" not in data else msgspec.json.format(data, indent=-1)) + b"\n")
    return lines, foreign


def _report(shard: Shard, record: dict[str, Any], sub_sequence_number: int, error: Rejected) -> None:
    click.echo(f"{shard.shard_id} {record['SequenceNumber']}.{sub_sequence_number}: {error}", err=True)
