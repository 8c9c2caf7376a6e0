"""Positions in a shard: where reading starts, how far it is behind, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence

from clickstream.infra.local.account import ACCOUNT
from clickstream.infra.local.kinesis.model import sequence
from clickstream.infra.local.kinesis.model.errors import InvalidArgumentException
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.log import Record
from clickstream.infra.local.kinesis.model.records import ReadRecord, StartingPosition
from clickstream.infra.local.kinesis.model.shards import Shard
from clickstream.infra.local.kinesis.model.streams import Stream


def locate(kinesis: Kinesis, stream: Stream, shard: Shard, position: StartingPosition, now_ms: int) -> int:
    """Counter of the first record to read from a position on."""
    log = stream.logs[shard.index]
    log.trim(stream.horizon_ms(now_ms), kinesis.settings.retention_bytes)
    if position.sequence_number is not None and position.type in ("TRIM_HORIZON", "LATEST"):
        raise InvalidArgumentException(
            "Must either specify (1) AT_SEQUENCE_NUMBER or (2) AFTER_SEQUENCE_NUMBER with StartingSequenceNumber, "
            f"not {position.type}."
        )
    match position.type:
        case "TRIM_HORIZON":
            return log.first_counter
        case "LATEST":
            return log.next_counter
        case "AT_TIMESTAMP":
            return _locate_time(stream, shard, position.timestamp_ms, now_ms)
        case _:
            counter = _counter_of(stream, shard, position)
            return counter if position.type == "AT_SEQUENCE_NUMBER" else counter + 1


def _locate_time(stream: Stream, shard: Shard, timestamp_ms: int | None, now_ms: int) -> int:
    if timestamp_ms is None:
        raise InvalidArgumentException("Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP.")
    if timestamp_ms > now_ms:
        raise InvalidArgumentException(
            "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
            f"timestampInMillis: {timestamp_ms}, currentTimestampInMillis: {now_ms}"
        )
    return stream.logs[shard.index].counter_at_time(timestamp_ms)


def _counter_of(stream: Stream, shard: Shard, position: StartingPosition) -> int:
    text = position.sequence_number
    if text is None:
        raise InvalidArgumentException(
            f"Must either specify (1) AT_SEQUENCE_NUMBER or (2) AFTER_SEQUENCE_NUMBER with StartingSequenceNumber, "
            f"not {position.type} alone."
        )
    where = f"shard {shard.shard_id} in stream {stream.state.name} under account {ACCOUNT}"
    try:
        number = sequence.parse(text)
    except ValueError:
        number = None
    if number is not None and number.shard_index != shard.index:
        raise InvalidArgumentException(
            f"Invalid StartingSequenceNumber. It encodes shardId-{number.shard_index:012d}, "
            f"while it was used in a call to a shard with {shard.shard_id}"
        )
    if number is None or number.epoch_s != shard.epoch_s:
        raise InvalidArgumentException(
            f"StartingSequenceNumber {text} used in GetShardIterator on {where} is invalid because it did not come from "
            "this stream."
        )
    return number.counter


def at_end(stream: Stream, shard: Shard, counter: int) -> bool:
    """Whether nothing comes any more at or after this counter."""
    return not shard.is_open and stream.logs[shard.index].peek(counter) is None


def millis_behind(stream: Stream, shard: Shard, counter: int, now_ms: int) -> int:
    """How long the next record has waited; 0 only at the tip."""
    waiting = stream.logs[shard.index].peek(counter)
    return 0 if waiting is None else max(1, now_ms - waiting.arrival_ms)


def read_records(shard: Shard, records: Sequence[Record]) -> list[ReadRecord]:
    """Records of a shard as readers get them."""
    prefix, render = shard.prefix, sequence.render
    return [
        ReadRecord(
            render(prefix, record.counter, record.arrival_ms),
            record.arrival_ms,
            record.partition_key,
            record.data,
            record.encrypted,
        )
        for record in records
    ]
