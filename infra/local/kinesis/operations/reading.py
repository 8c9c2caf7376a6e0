"""Operations that read records: GetShardIterator and GetRecords."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from clickstream.infra.local.account import ACCOUNT
from clickstream.infra.local.kinesis.model.errors import (
    DryRunOperationException,
    ExpiredIteratorException,
    InvalidArgumentException,
    ResourceNotFoundException,
)
from clickstream.infra.local.kinesis.model.kinesis import Kinesis, not_found, rate_exceeded
from clickstream.infra.local.kinesis.model.records import ITERATOR_TYPES, GetRecordsResult, StartingPosition
from clickstream.infra.local.kinesis.model.shards import Shard
from clickstream.infra.local.kinesis.model.streams import Stream
from clickstream.infra.local.kinesis.model.tokens import LIFE_MS, ShardIterator
from clickstream.infra.local.kinesis.model.validation import SEQUENCE_PATTERN, check, name_violation
from clickstream.infra.local.kinesis.operation import operation
from clickstream.infra.local.kinesis.operations.positions import at_end, locate, millis_behind, read_records
from clickstream.infra.local.limits import constraints
from clickstream.infra.local.limits.kinesis import MAX_GET_BYTES, MAX_GET_RECORDS


@operation
def get_shard_iterator(
    kinesis: Kinesis,
    stream: str | None,
    shard_id: str | None,
    position: StartingPosition,
    now_ms: int,
    *,
    dry_run: bool = False,
) -> str:
    """An iterator that is good for five minutes."""
    check(
        name_violation("shardId", shard_id),
        constraints.required("shardIteratorType", position.type or None)
        or constraints.one_of("shardIteratorType", position.type, ITERATOR_TYPES),
        constraints.pattern("startingSequenceNumber", position.sequence_number, SEQUENCE_PATTERN),
    )
    found = kinesis.readable(stream, now_ms)
    shard = kinesis.find_shard(found, shard_id, now_ms)
    counter = locate(kinesis, found, shard, position, now_ms)
    if dry_run:
        raise DryRunOperationException
    return _iterator(kinesis, found, shard, counter, now_ms)


@operation
def get_records(
    kinesis: Kinesis,
    shard_iterator: str | None,
    now_ms: int,
    limit: int | None = None,
    stream: str | None = None,
    *,
    dry_run: bool = False,
) -> GetRecordsResult:
    """Records from an iterator on: at most ``limit``, 10,000 and 10 MiB."""
    check(
        constraints.required("shardIterator", shard_iterator),
        constraints.length("shardIterator", shard_iterator, 1, 512),
        constraints.between("limit", limit, 1, MAX_GET_RECORDS),
    )
    assert shard_iterator is not None
    found, shard, counter = _resolve(kinesis, shard_iterator, now_ms)
    if stream is not None and kinesis.find(stream, now_ms) is not found:
        raise InvalidArgumentException("The shard iterator is not of the given stream.")
    if dry_run:
        raise DryRunOperationException
    meter = found.meters[shard.index]
    limited = kinesis.settings.enforce_limits and not meter.may_read(now_ms)
    if limited or (kinesis.faults.active and kinesis.faults.throttles(found.state.name, shard.shard_id, reads=True)):
        raise rate_exceeded(found, shard)
    log = found.logs[shard.index]
    log.trim(found.horizon_ms(now_ms), kinesis.settings.retention_bytes)
    raw = log.read(counter, limit or MAX_GET_RECORDS, MAX_GET_BYTES)
    if kinesis.settings.enforce_limits:
        meter.has_read(sum(record.size for record in raw))
    if raw:
        counter = raw[-1].counter + 1
    ended = at_end(found, shard, counter)
    return GetRecordsResult(
        read_records(shard, raw),
        None if ended else _iterator(kinesis, found, shard, counter, now_ms),
        millis_behind(found, shard, counter, now_ms),
        [found.graph.shards[child] for child in shard.children] if ended else [],
    )


def _iterator(kinesis: Kinesis, stream: Stream, shard: Shard, counter: int, now_ms: int) -> str:
    state = stream.state
    return kinesis.seal.seal(ShardIterator(state.name, state.created_ms, shard.index, counter, now_ms))


def _resolve(kinesis: Kinesis, text: str, now_ms: int) -> tuple[Stream, Shard, int]:
    try:
        token = kinesis.seal.unseal(text, ShardIterator)
    except (ValueError, msgspec.MsgspecError):
        raise InvalidArgumentException("Invalid ShardIterator.") from None
    if now_ms - token.issued_ms > LIFE_MS:
        raise ExpiredIteratorException(
            f"Iterator expired. The iterator was created at time {_http_date(token.issued_ms)} while right now it is "
            f"{_http_date(now_ms)} which is further in the future than the tolerated delay of {LIFE_MS} milliseconds."
        )
    stream = kinesis.readable(token.stream, now_ms)
    if stream.state.created_ms != token.stream_created_ms:
        raise not_found(token.stream)
    shard = stream.graph.shards.get(token.shard_index)
    if shard is None:
        raise ResourceNotFoundException(
            f"Shard of the iterator in stream {token.stream} under account {ACCOUNT} does not exist"
        )
    return stream, shard, token.counter


def _http_date(ms: int) -> str:
    """``Wed Nov 25 10:00:00 UTC 2026``."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
