"""The arguments and results of the operations on records."""

from __future__ import annotations

import msgspec

from clickstream.infra.local.kinesis.model.shards import Shard

ITERATOR_TYPES = ("AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON")


class PutEntry(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"partition_key": "PartitionKey", "data": "Data", "explicit_hash_key": "ExplicitHashKey"},
):
    """A record to put. The renamed fields are the API's, so that a call's body decodes straight into it."""

    partition_key: str | None = None
    data: bytes | None = None
    explicit_hash_key: str | None = None


class PutResult(
    msgspec.Struct,
    frozen=True,
    gc=False,
    omit_defaults=True,
    rename={
        "sequence_number": "SequenceNumber",
        "shard_id": "ShardId",
        "error_code": "ErrorCode",
        "error_message": "ErrorMessage",
    },
):
    """The result for one record: its place in a shard, or an error."""

    sequence_number: str | None = None
    shard_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None


class PutRecordsResult(
    msgspec.Struct,
    frozen=True,
    rename={"failed_record_count": "FailedRecordCount", "records": "Records", "encryption_type": "EncryptionType"},
):
    """One result per entry, in order."""

    failed_record_count: int
    records: list[PutResult]
    encryption_type: str


class ReadRecord(msgspec.Struct, frozen=True, gc=False):
    """A record as a reader gets it."""

    sequence_number: str
    arrival_ms: int
    partition_key: str
    data: bytes
    encrypted: bool = False
    """Whether the stream was encrypted when the record was put."""


class GetRecordsResult(msgspec.Struct, frozen=True):
    """Records in order, and the iterator that continues after them."""

    records: list[ReadRecord]
    next_iterator: str | None
    """None at the end of a closed shard."""
    millis_behind_latest: int
    child_shards: list[Shard]
    """Filled at the end of a closed shard."""


class StartingPosition(msgspec.Struct, frozen=True):
    """Where to start reading. ``type`` is one of :data:`ITERATOR_TYPES`."""

    type: str
    sequence_number: str | None = None
    timestamp_ms: int | None = None
