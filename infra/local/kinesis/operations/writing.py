"""Operations that add records: PutRecord and PutRecords."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import md5

from clickstream.infra.local.account import ACCOUNT
from clickstream.infra.local.kinesis.model import sequence
from clickstream.infra.local.kinesis.model.errors import DryRunOperationException, InvalidArgumentException, KinesisError
from clickstream.infra.local.kinesis.model.kinesis import Kinesis, rate_exceeded
from clickstream.infra.local.kinesis.model.log import Record
from clickstream.infra.local.kinesis.model.records import PutEntry, PutRecordsResult, PutResult
from clickstream.infra.local.kinesis.model.shards import HASH_SPACE, key_bytes
from clickstream.infra.local.kinesis.model.streams import Stream
from clickstream.infra.local.kinesis.model.validation import HASH_KEY_PATTERN, SEQUENCE_PATTERN, check
from clickstream.infra.local.kinesis.operation import operation
from clickstream.infra.local.limits import constraints
from clickstream.infra.local.limits.kinesis import MAX_DATA_BYTES, MAX_PARTITION_KEY, MAX_PUT_BYTES, MAX_PUT_RECORDS
from clickstream.infra.local.limits.units import MIB


@operation
def put_record(
    kinesis: Kinesis,
    stream: str | None,
    entry: PutEntry,
    now_ms: int,
    sequence_number_for_ordering: str | None = None,
    *,
    dry_run: bool = False,
) -> PutResult:
    """Append one record; raises where PutRecords would report a failed entry."""
    check(
        *_entry_violations(entry, ""),
        constraints.pattern("sequenceNumberForOrdering", sequence_number_for_ordering, SEQUENCE_PATTERN),
    )
    if sequence_number_for_ordering is not None:
        try:
            sequence.parse(sequence_number_for_ordering)
        except ValueError:
            raise InvalidArgumentException(
                f"ExclusiveMinimumSequenceNumber {sequence_number_for_ordering} used in PutRecord on stream "
                f"{stream} under account {ACCOUNT} is invalid."
            ) from None
    found = kinesis.readable(stream, now_ms)
    placed: list[tuple[int, Record]] = []
    key, size = _hash_key(entry), _size(found, entry)
    if dry_run:
        raise DryRunOperationException
    result = _put(kinesis, found, entry, key, size, now_ms, placed)
    if isinstance(result, KinesisError):
        raise result
    kinesis.journal.appended(found, placed)
    return result


@operation
def put_records(
    kinesis: Kinesis, stream: str | None, entries: Sequence[PutEntry], now_ms: int, *, dry_run: bool = False
) -> PutRecordsResult:
    """Append up to 500 records, each on its own: one may fail while its neighbours are stored."""
    _check_call(entries)
    found = kinesis.readable(stream, now_ms)
    placed: list[tuple[int, Record]] = []
    results = []
    failed = 0
    # a bad hash key or an over-size record refuses the whole call, before anything is stored
    checked = [(entry, _hash_key(entry), _size(found, entry)) for entry in entries]
    if dry_run:
        raise DryRunOperationException
    for entry, key, size in checked:
        result = _put(kinesis, found, entry, key, size, now_ms, placed)
        if isinstance(result, KinesisError):
            failed += 1
            result = PutResult(error_code=result.code, error_message=result.message)
        results.append(result)
    if placed:
        kinesis.journal.appended(found, placed)
    return PutRecordsResult(failed, results, found.encryption)


def _put(
    kinesis: Kinesis, stream: Stream, entry: PutEntry, key: bytes, size: int, now_ms: int, placed: list[tuple[int, Record]]
) -> PutResult | KinesisError:
    partition_key, data = entry.partition_key, entry.data
    assert partition_key is not None, "checked by the caller"
    assert data is not None, "checked by the caller"
    shard = stream.graph.route(key)
    log = stream.logs[shard.index]
    limited = kinesis.settings.enforce_limits and not stream.meters[shard.index].may_write(size, now_ms)
    if limited or (kinesis.faults.active and kinesis.faults.throttles(stream.state.name, shard.shard_id, reads=False)):
        return rate_exceeded(stream, shard)
    record = log.append(partition_key, data, size, now_ms, encrypted=stream.state.encryption_key is not None)
    log.trim(stream.horizon_ms(now_ms), kinesis.settings.retention_bytes)
    placed.append((shard.index, record))
    return PutResult(sequence.render(shard.prefix, record.counter, record.arrival_ms), shard.shard_id)


def _hash_key(entry: PutEntry) -> bytes:
    explicit = entry.explicit_hash_key
    if explicit is None:
        assert entry.partition_key is not None
        return md5(entry.partition_key.encode(), usedforsecurity=False).digest()
    check(constraints.pattern("explicitHashKey", explicit, HASH_KEY_PATTERN))
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
    check(constraints.length("records", entries, 1, MAX_PUT_RECORDS))
    total = 0
    for number, entry in enumerate(entries, start=1):
        key, data = entry.partition_key, entry.data
        if key is None or data is None or not 0 < len(key) <= MAX_PARTITION_KEY or len(data) > MAX_DATA_BYTES:
            check(*_entry_violations(entry, f"records.{number}.member."))
            raise AssertionError("a violation was found but not named")
        total += len(data) + len(key)
    if total > MAX_PUT_BYTES:
        raise InvalidArgumentException(f"Records size exceeds {MAX_PUT_BYTES // MIB} MB limit")


def _entry_violations(entry: PutEntry, path: str) -> list[str | None]:
    return [
        constraints.required(f"{path}partitionKey", entry.partition_key)
        or constraints.length(f"{path}partitionKey", entry.partition_key, 1, MAX_PARTITION_KEY),
        constraints.required(f"{path}data", entry.data) or constraints.length(f"{path}data", entry.data, 0, MAX_DATA_BYTES),
    ]
