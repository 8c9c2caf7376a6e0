"""Operations on records: PutRecord, PutRecords, GetShardIterator, GetRecords."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import md5

import msgspec

from infra.local.kinesis import sequence, validation
from infra.local.kinesis.errors import (
    DryRunOperationException,
    ExpiredIteratorException,
    InvalidArgumentException,
    KinesisError,
    ProvisionedThroughputExceededException,
    ResourceNotFoundException,
)
from infra.local.kinesis.limits import (
    MAX_DATA_BYTES,
    MAX_GET_BYTES,
    MAX_GET_RECORDS,
    MAX_PARTITION_KEY,
    MAX_PUT_BYTES,
    MAX_PUT_RECORDS,
    MIB,
)
from infra.local.kinesis.log import Record
from infra.local.kinesis.records import (
    ITERATOR_TYPES,
    GetRecordsResult,
    PutEntry,
    PutRecordsResult,
    PutResult,
    ReadRecord,
    StartingPosition,
)
from infra.local.kinesis.registry import ACCOUNT_ID, Registry, not_found, operation
from infra.local.kinesis.shards import HASH_SPACE, Shard, key_bytes
from infra.local.kinesis.streams import Stream
from infra.local.kinesis.times import http_date
from infra.local.kinesis.tokens import LIFE_MS, ShardIterator


class RecordOperations(Registry):
    """The data plane."""

    @operation("PutRecord")
    def put_record(
        self,
        stream: str | None,
        entry: PutEntry,
        now_ms: int,
        sequence_number_for_ordering: str | None = None,
        *,
        dry_run: bool = False,
    ) -> PutResult:
        """Append one record; raises where PutRecords would report a failed entry."""
        validation.check(
            *_entry_violations(entry, ""),
            validation.pattern("sequenceNumberForOrdering", sequence_number_for_ordering, validation.SEQUENCE_PATTERN),
        )
        if sequence_number_for_ordering is not None:
            try:
                sequence.parse(sequence_number_for_ordering)
            except ValueError:
                raise InvalidArgumentException(
                    f"ExclusiveMinimumSequenceNumber {sequence_number_for_ordering} used in PutRecord on stream "
                    f"{stream} under account {ACCOUNT_ID} is invalid."
                ) from None
        found = self.readable(stream, now_ms)
        placed: list[tuple[int, Record]] = []
        key, size = _hash_key(entry), _size(found, entry)
        if dry_run:
            raise would_succeed()
        result = self._put(found, entry, key, size, now_ms, placed)
        if isinstance(result, KinesisError):
            raise result
        self.journal.appended(found, placed)
        return result

    @operation("PutRecords")
    def put_records(
        self, stream: str | None, entries: Sequence[PutEntry], now_ms: int, *, dry_run: bool = False
    ) -> PutRecordsResult:
        """Append up to 500 records, each on its own: one may fail while its neighbours are stored."""
        _check_call(entries)
        found = self.readable(stream, now_ms)
        placed: list[tuple[int, Record]] = []
        results = []
        failed = 0
        # a bad hash key or an over-size record refuses the whole call, before anything is stored
        checked = [(entry, _hash_key(entry), _size(found, entry)) for entry in entries]
        if dry_run:
            raise would_succeed()
        for entry, key, size in checked:
            result = self._put(found, entry, key, size, now_ms, placed)
            if isinstance(result, KinesisError):
                failed += 1
                result = PutResult(error_code=result.code, error_message=result.message)
            results.append(result)
        if placed:
            self.journal.appended(found, placed)
        return PutRecordsResult(failed, results, found.encryption)

    def _put(
        self, stream: Stream, entry: PutEntry, key: bytes, size: int, now_ms: int, placed: list[tuple[int, Record]]
    ) -> PutResult | KinesisError:
        partition_key, data = entry.partition_key, entry.data
        assert partition_key is not None, "checked by the caller"
        assert data is not None, "checked by the caller"
        shard = stream.graph.route(key)
        log = stream.logs[shard.index]
        limited = self.settings.enforce_limits and not stream.meters[shard.index].may_write(size, now_ms)
        if limited or (self.faults.active and self.faults.throttles(stream.state.name, shard.shard_id, reads=False)):
            return _rate_exceeded(stream, shard)
        record = log.append(partition_key, data, size, now_ms, encrypted=stream.state.encryption_key is not None)
        log.trim(stream.horizon_ms(now_ms), self.settings.retention_bytes)
        placed.append((shard.index, record))
        return PutResult(sequence.render(shard.prefix, record.counter, record.arrival_ms), shard.shard_id)

    @operation("GetShardIterator")
    def get_shard_iterator(
        self, stream: str | None, shard_id: str | None, position: StartingPosition, now_ms: int, *, dry_run: bool = False
    ) -> str:
        """An iterator that is good for five minutes."""
        validation.check(
            validation.name("shardId", shard_id),
            validation.required("shardIteratorType", position.type or None)
            or validation.one_of("shardIteratorType", position.type, ITERATOR_TYPES),
            validation.pattern("startingSequenceNumber", position.sequence_number, validation.SEQUENCE_PATTERN),
        )
        found = self.readable(stream, now_ms)
        shard = self.find_shard(found, shard_id, now_ms)
        counter = self.locate(found, shard, position, now_ms)
        if dry_run:
            raise would_succeed()
        return self._iterator(found, shard, counter, now_ms)

    @operation("GetRecords")
    def get_records(
        self,
        shard_iterator: str | None,
        now_ms: int,
        limit: int | None = None,
        stream: str | None = None,
        *,
        dry_run: bool = False,
    ) -> GetRecordsResult:
        """Records from an iterator on: at most ``limit``, 10,000 and 10 MiB."""
        validation.check(
            validation.required("shardIterator", shard_iterator),
            validation.length("shardIterator", shard_iterator, 1, 512),
            validation.between("limit", limit, 1, MAX_GET_RECORDS),
        )
        assert shard_iterator is not None
        found, shard, counter = self._resolve(shard_iterator, now_ms)
        if stream is not None and self.find(stream, now_ms) is not found:
            raise InvalidArgumentException("The shard iterator is not of the given stream.")
        if dry_run:
            raise would_succeed()
        meter = found.meters[shard.index]
        limited = self.settings.enforce_limits and not meter.may_read(now_ms)
        if limited or (self.faults.active and self.faults.throttles(found.state.name, shard.shard_id, reads=True)):
            raise _rate_exceeded(found, shard)
        log = found.logs[shard.index]
        log.trim(found.horizon_ms(now_ms), self.settings.retention_bytes)
        raw = log.read(counter, limit or MAX_GET_RECORDS, MAX_GET_BYTES)
        if self.settings.enforce_limits:
            meter.has_read(sum(record.size for record in raw))
        if raw:
            counter = raw[-1].counter + 1
        ended = self.at_end(found, shard, counter)
        return GetRecordsResult(
            read_records(shard, raw),
            None if ended else self._iterator(found, shard, counter, now_ms),
            millis_behind(found, shard, counter, now_ms),
            [found.graph.shards[child] for child in shard.children] if ended else [],
        )

    def at_end(self, stream: Stream, shard: Shard, counter: int) -> bool:
        """Whether nothing comes any more at or after this counter."""
        return not shard.is_open and stream.logs[shard.index].peek(counter) is None

    def locate(self, stream: Stream, shard: Shard, position: StartingPosition, now_ms: int) -> int:
        """Counter of the first record to read from a position on."""
        log = stream.logs[shard.index]
        log.trim(stream.horizon_ms(now_ms), self.settings.retention_bytes)
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
                return self._locate_time(stream, shard, position.timestamp_ms, now_ms)
            case _:
                counter = _counter_of(stream, shard, position)
                return counter if position.type == "AT_SEQUENCE_NUMBER" else counter + 1

    def _locate_time(self, stream: Stream, shard: Shard, timestamp_ms: int | None, now_ms: int) -> int:
        if timestamp_ms is None:
            raise InvalidArgumentException("Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP.")
        if timestamp_ms > now_ms:
            raise InvalidArgumentException(
                "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
                f"timestampInMillis: {timestamp_ms}, currentTimestampInMillis: {now_ms}"
            )
        return stream.logs[shard.index].counter_at_time(timestamp_ms)

    def _iterator(self, stream: Stream, shard: Shard, counter: int, now_ms: int) -> str:
        state = stream.state
        return self.seal.seal(ShardIterator(state.name, state.created_ms, shard.index, counter, now_ms))

    def _resolve(self, text: str, now_ms: int) -> tuple[Stream, Shard, int]:
        try:
            token = self.seal.unseal(text, ShardIterator)
        except (ValueError, msgspec.MsgspecError):
            raise InvalidArgumentException("Invalid ShardIterator.") from None
        if now_ms - token.issued_ms > LIFE_MS:
            raise ExpiredIteratorException(
                f"Iterator expired. The iterator was created at time {http_date(token.issued_ms)} while right now it is "
                f"{http_date(now_ms)} which is further in the future than the tolerated delay of {LIFE_MS} milliseconds."
            )
        stream = self.readable(token.stream, now_ms)
        if stream.state.created_ms != token.stream_created_ms:
            raise not_found(token.stream)
        shard = stream.graph.shards.get(token.shard_index)
        if shard is None:
            raise ResourceNotFoundException(
                f"Shard of the iterator in stream {token.stream} under account {ACCOUNT_ID} does not exist"
            )
        return stream, shard, token.counter


def would_succeed() -> DryRunOperationException:
    """What DryRun answers in the place of doing what was asked."""
    return DryRunOperationException("The request would have succeeded, but DryRun was set.")


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


def millis_behind(stream: Stream, shard: Shard, counter: int, now_ms: int) -> int:
    """How long the next record has waited; 0 only at the tip."""
    waiting = stream.logs[shard.index].peek(counter)
    return 0 if waiting is None else max(1, now_ms - waiting.arrival_ms)


def _counter_of(stream: Stream, shard: Shard, position: StartingPosition) -> int:
    text = position.sequence_number
    if text is None:
        raise InvalidArgumentException(
            f"Must either specify (1) AT_SEQUENCE_NUMBER or (2) AFTER_SEQUENCE_NUMBER with StartingSequenceNumber, "
            f"not {position.type} alone."
        )
    where = f"shard {shard.shard_id} in stream {stream.state.name} under account {ACCOUNT_ID}"
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


def _hash_key(entry: PutEntry) -> bytes:
    explicit = entry.explicit_hash_key
    if explicit is None:
        assert entry.partition_key is not None
        return md5(entry.partition_key.encode(), usedforsecurity=False).digest()
    validation.check(validation.pattern("explicitHashKey", explicit, validation.HASH_KEY_PATTERN))
    # the API's pattern admits 39 digits, which may still be above 2^128 - 1
    if int(explicit) >= HASH_SPACE:
        raise InvalidArgumentException(
            f"Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {explicit}"
        )
    return key_bytes(int(explicit))


def _size(stream: Stream, entry: PutEntry) -> int:
    """What a record counts for, in bytes: its data and its partition key; refuses what the stream does not take."""
    key, data = entry.partition_key, entry.data
    assert key is not None, "checked by the caller"
    assert data is not None, "checked by the caller"
    size = len(data) + (len(key) if key.isascii() else len(key.encode()))
    if size > stream.max_record_bytes:
        raise InvalidArgumentException(
            f"Record size {size} exceeds the stream's max record size of {stream.max_record_bytes} bytes"
        )
    return size


def _check_call(entries: Sequence[PutEntry]) -> None:
    validation.check(validation.length("records", entries, 1, MAX_PUT_RECORDS))
    total = 0
    for number, entry in enumerate(entries, start=1):
        key, data = entry.partition_key, entry.data
        if key is None or data is None or not 0 < len(key) <= MAX_PARTITION_KEY or len(data) > MAX_DATA_BYTES:
            validation.check(*_entry_violations(entry, f"records.{number}.member."))
            raise AssertionError("a violation was found but not named")
        total += len(data) + len(key)
    if total > MAX_PUT_BYTES:
        raise InvalidArgumentException(f"Records size exceeds {MAX_PUT_BYTES // MIB} MB limit")


def _entry_violations(entry: PutEntry, path: str) -> list[str | None]:
    return [
        validation.required(f"{path}partitionKey", entry.partition_key)
        or validation.length(f"{path}partitionKey", entry.partition_key, 1, MAX_PARTITION_KEY),
        validation.required(f"{path}data", entry.data) or validation.length(f"{path}data", entry.data, 0, MAX_DATA_BYTES),
    ]


def _rate_exceeded(stream: Stream, shard: Shard) -> ProvisionedThroughputExceededException:
    return ProvisionedThroughputExceededException(
        f"Rate exceeded for shard {shard.shard_id} in stream {stream.state.name} under account {ACCOUNT_ID}."
    )
