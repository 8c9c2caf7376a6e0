"""PutRecord and PutRecords, which must be fast: their bodies are decoded straight into the model's entries."""

from __future__ import annotations

import msgspec

from clickstream.infra.local.kinesis.http.parameters import Parameters
from clickstream.infra.local.kinesis.http.wire import Wire
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.records import PutEntry
from clickstream.infra.local.kinesis.operations import writing


class PutRecordsBody(
    msgspec.Struct, rename={"records": "Records", "name": "StreamName", "arn": "StreamARN", "dry_run": "DryRun"}
):
    records: list[PutEntry] = []
    name: str | None = None
    arn: str | None = None
    dry_run: bool | None = None


class PutRecordBody(
    msgspec.Struct,
    rename={
        "name": "StreamName",
        "arn": "StreamARN",
        "data": "Data",
        "partition_key": "PartitionKey",
        "explicit_hash_key": "ExplicitHashKey",
        "ordering": "SequenceNumberForOrdering",
        "dry_run": "DryRun",
    },
):
    data: bytes | None = None
    partition_key: str | None = None
    explicit_hash_key: str | None = None
    ordering: str | None = None
    name: str | None = None
    arn: str | None = None
    dry_run: bool | None = None


def put_records(kinesis: Kinesis, wire: Wire, body: bytes, now_ms: int) -> bytes:
    call = wire.decode(body, PutRecordsBody)
    result = writing.put_records(kinesis, _stream(wire, call.name, call.arn), call.records, now_ms, dry_run=bool(call.dry_run))
    return wire.encode(result)


def put_record(kinesis: Kinesis, wire: Wire, body: bytes, now_ms: int) -> bytes:
    call = wire.decode(body, PutRecordBody)
    entry = PutEntry(call.partition_key, call.data, call.explicit_hash_key)
    stream = _stream(wire, call.name, call.arn)
    result = writing.put_record(
        kinesis, stream, entry, now_ms, sequence_number_for_ordering=call.ordering, dry_run=bool(call.dry_run)
    )
    encryption = kinesis.find(stream, now_ms).encryption
    return wire.encode({"ShardId": result.shard_id, "SequenceNumber": result.sequence_number, "EncryptionType": encryption})


def _stream(wire: Wire, name: str | None, arn: str | None) -> str | None:
    return Parameters({"StreamName": name, "StreamARN": arn}, wire).stream()
