"""``clickstream tail``: the stream's events as NDJSON on stdout."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
import msgspec

from clickstream import aggregation, events
from clickstream.aws import Clients
from clickstream.errors import Rejected, Undecodable
from clickstream.routing import HASH_BYTES, HashRange, hash_key
from clickstream.settings import from_env
from consumers.follow import Start, follow

if TYPE_CHECKING:
    from consumers.follow import Batch

_AGO = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class UserRecord(msgspec.Struct, frozen=True, gc=False):
    """What a producer put: a Kinesis record, or the part of an aggregate with this sub-sequence number."""

    sub_sequence_number: int
    data: bytes
    foreign: bool
    """Part of an aggregate that came to a shard it does not belong to; its publisher puts it again where it does."""


def user_records(record: dict[str, Any], home: HashRange) -> list[UserRecord]:
    """Take a Kinesis record (as boto3 has it) of a shard with this hash range apart; raises Undecodable."""
    data = record["Data"]
    if not aggregation.is_aggregated(data):
        return [UserRecord(0, data, foreign=False)]
    return [
        UserRecord(number, member, foreign=_hash(key, explicit) not in home)
        for number, (key, explicit, member) in enumerate(aggregation.decode(data))
    ]


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
    """De-aggregated events of the stream as NDJSON on stdout; what is not an event is reported on stderr."""
    settings = from_env()
    start = parse_since(since, datetime.now(UTC))
    client = Clients(settings).kinesis
    out = sys.stdout.buffer
    written = 0
    foreign = 0
    for batch in follow(client, settings.stream, start, only=shard, forever=forever):
        for line in _lines(batch):
            if line is None:
                foreign += 1
                continue
            out.write(line + b"\n")
            written += 1
            if written == limit:
                break
        out.flush()
        if written == limit:
            break
    if foreign:
        click.echo(f"{foreign:,} events were passed over: their aggregate came to a foreign shard and is put again", err=True)


def _lines(batch: Batch) -> Iterator[bytes | None]:
    """The batch's events as they were put; None for a foreign one."""
    for record in batch.records:
        try:
            members = user_records(record, batch.shard.hash_range)
        except Rejected as error:
            _report(batch, record, 0, error)
            continue
        for member in members:
            if member.foreign:
                yield None
                continue
            try:
                events.decode(member.data)
            except Rejected as error:
                _report(batch, record, member.sub_sequence_number, error)
                continue
            yield member.data if b"\n" not in member.data else msgspec.json.format(member.data, indent=-1)


def _report(batch: Batch, record: dict[str, Any], sub_sequence_number: int, error: Rejected) -> None:
    click.echo(f"{batch.shard.shard_id} {record['SequenceNumber']}.{sub_sequence_number}: {error}", err=True)
