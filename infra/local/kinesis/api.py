"""A request's head and body in, an answer out: the HTTP API without its transport.

Every operation is one POST to ``/`` whose ``X-Amz-Target`` names it. Nothing here waits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from infra.local.kinesis.consumer_operations import Subscription
from infra.local.kinesis.errors import (
    InvalidSignatureException,
    KinesisError,
    MissingAuthenticationTokenException,
    SerializationException,
    UnknownOperationException,
)
from infra.local.kinesis.model import Kinesis, PutEntry, StartingPosition
from infra.local.kinesis.operations import OPERATIONS
from infra.local.kinesis.records import PutRecordsResult, PutResult
from infra.local.kinesis.regions import DEFAULT_REGION, Regions
from infra.local.kinesis.wire import Parameters, Wire, wire_for

TARGET_PREFIX = "Kinesis_20131202."
_CREDENTIAL_REGION = re.compile(r"Credential=[^/,\s]*/\d{8}/([a-z0-9-]+)/")
#: Any of these in the query makes it a signed request, as in its header would Authorization.
_SIGNED_BY_QUERY = "X-Amz-Credential"


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


class Request(msgspec.Struct, frozen=True):
    """What the transport has read."""

    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    query: str = ""

    @property
    def signature(self) -> str:
        """The Authorization header, or the query that stands in for it; empty when the request is not signed."""
        query = unquote(self.query) if _SIGNED_BY_QUERY in self.query else ""
        return self.headers.get("authorization", query)

    @property
    def operation(self) -> str:
        return self.headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)

    @property
    def region(self) -> str:
        """The region that the caller signed for."""
        match = _CREDENTIAL_REGION.search(self.signature)
        return match.group(1) if match else DEFAULT_REGION


class Reply(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    content_type: str
    body: bytes
    error: str | None = None
    """The error's type, if it is one."""


class Opened(msgspec.Struct, frozen=True):
    """SubscribeToShard was accepted: its events follow as long as the subscription lives."""

    kinesis: Kinesis
    subscription: Subscription
    wire: Wire


class Api:
    """Answers requests from the model of the region that each was signed for."""

    def __init__(self, regions: Regions) -> None:
        self._regions = regions

    def delay_ms(self, request: Request) -> int:
        """How long an injected fault holds this call up."""
        faults = self._regions.faults
        return faults.delay_ms(request.operation) if faults.active else 0

    def answer(self, request: Request, now_ms: int) -> Reply | Opened:
        """Perform the call at ``now_ms``."""
        wire = wire_for(request.headers.get("content-type", ""))
        if wire is None or not request.headers.get("x-amz-target", "").startswith(TARGET_PREFIX):
            # AWS answers so too: without a content type it knows, it does not know the operation
            return Reply(404, "application/xml", b"<UnknownOperationException/>\n", "UnknownOperationException")
        try:
            if "authorization" in request.headers and _SIGNED_BY_QUERY in request.query:
                raise InvalidSignatureException(
                    f"Found both '{_SIGNED_BY_QUERY}' as a query-string param and 'Authorization' as HTTP header."
                )
            if not request.signature:
                raise MissingAuthenticationTokenException("Missing Authentication Token")
            kinesis = self._regions.kinesis(request.region)
            match request.operation:
                case "PutRecords":
                    body = _put_records(kinesis, wire, request.body, now_ms)
                case "PutRecord":
                    body = _put_record(kinesis, wire, request.body, now_ms)
                case "SubscribeToShard":
                    return _subscribe(kinesis, wire, request.body, now_ms)
                case name if name in OPERATIONS:
                    members = wire.decode(request.body, dict[str, Any])
                    answer = OPERATIONS[name](kinesis, Parameters(members, wire), now_ms)
                    body = b"" if answer is None else wire.encode(answer)
                case name:
                    raise UnknownOperationException(f"Kinesis has no operation {name!r} here.")
        except KinesisError as error:
            # AWS's own inconsistency: what its front end cannot read, it answers with another member
            member = "Message" if isinstance(error, SerializationException) else "message"
            text = wire.encode({"__type": error.code, member: error.message})
            return Reply(error.status, wire.content_type, text, error.code)
        return Reply(200, wire.content_type, body)


def _put_records(kinesis: Kinesis, wire: Wire, body: bytes, now_ms: int) -> bytes:
    call = wire.decode(body, PutRecordsBody)
    result: PutRecordsResult = kinesis.put_records(
        _stream(wire, call.name, call.arn), call.records, now_ms, dry_run=bool(call.dry_run)
    )
    return wire.encode(result)


def _put_record(kinesis: Kinesis, wire: Wire, body: bytes, now_ms: int) -> bytes:
    call = wire.decode(body, PutRecordBody)
    entry = PutEntry(call.partition_key, call.data, call.explicit_hash_key)
    stream = _stream(wire, call.name, call.arn)
    result: PutResult = kinesis.put_record(
        stream, entry, now_ms, sequence_number_for_ordering=call.ordering, dry_run=bool(call.dry_run)
    )
    encryption = kinesis.find(stream, now_ms).encryption
    return wire.encode({"ShardId": result.shard_id, "SequenceNumber": result.sequence_number, "EncryptionType": encryption})


def _subscribe(kinesis: Kinesis, wire: Wire, body: bytes, now_ms: int) -> Opened:
    p = Parameters(wire.decode(body, dict[str, Any]), wire)
    start = p.structure("StartingPosition") or Parameters({}, wire)
    position = StartingPosition(start.text("Type") or "", start.text("SequenceNumber"), start.time_ms("Timestamp"))
    subscription = kinesis.subscribe(p.text("ConsumerARN"), p.text("ShardId"), position, now_ms, dry_run=p.flag("DryRun"))
    return Opened(kinesis, subscription, wire)


def _stream(wire: Wire, name: str | None, arn: str | None) -> str | None:
    return Parameters({"StreamName": name, "StreamARN": arn}, wire).stream()
