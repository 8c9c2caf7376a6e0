"""The HTTP API without its transport: a request's head and body in, a reply out.

Every operation is one POST to ``/`` whose ``X-Amz-Target`` names it. Nothing here blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from clickstream.infra.local.gate.requests import caller
from clickstream.infra.local.kinesis.http import push
from clickstream.infra.local.kinesis.http.calls import writers
from clickstream.infra.local.kinesis.http.parameters import Parameters
from clickstream.infra.local.kinesis.http.table import OPERATIONS
from clickstream.infra.local.kinesis.http.wire import wire_for
from clickstream.infra.local.kinesis.model.errors import (
    InvalidSignatureException,
    KinesisError,
    MissingAuthenticationTokenException,
    SerializationException,
    UnknownOperationException,
)
from clickstream.infra.local.kinesis.model.settings import DEFAULT_REGION
from clickstream.infra.local.kinesis.regions import Regions

TARGET_PREFIX = "Kinesis_20131202."
#: In the query of a presigned request, in place of the Authorization header.
_SIGNED_BY_QUERY = "X-Amz-Credential"


class Request(msgspec.Struct, frozen=True):
    """A request as the transport has read it."""

    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    query: str = ""

    @property
    def signature(self) -> str:
        """The Authorization header, or the query of a presigned request; empty when the request is not signed."""
        query = unquote(self.query) if _SIGNED_BY_QUERY in self.query else ""
        return self.headers.get("authorization", query)

    @property
    def operation(self) -> str:
        return self.headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)

    @property
    def region(self) -> str:
        """The region that the caller signed for."""
        who = caller(self.signature)
        return DEFAULT_REGION if who is None else who.region


class Reply(msgspec.Struct, frozen=True):
    """A whole response."""

    status: int
    content_type: str
    body: bytes
    error: str | None = None
    """The error's type, if it is one."""


class Api:
    """Answers each request from the model of the region that it was signed for."""

    def __init__(self, regions: Regions) -> None:
        self._regions = regions

    def delay_ms(self, request: Request) -> int:
        """How long an injected fault delays this call."""
        faults = self._regions.faults
        return faults.delay_ms(request.operation) if faults.active else 0

    def answer(self, request: Request, now_ms: int) -> Reply | push.Opened:
        """Perform the call at ``now_ms``."""
        wire = wire_for(request.headers.get("content-type", ""))
        if wire is None or not request.headers.get("x-amz-target", "").startswith(TARGET_PREFIX):
            # as AWS answers: without a known content type it does not know the operation
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
                    body = writers.put_records(kinesis, wire, request.body, now_ms)
                case "PutRecord":
                    body = writers.put_record(kinesis, wire, request.body, now_ms)
                case "SubscribeToShard":
                    return push.subscribe(kinesis, wire, request.body, now_ms)
                case name if name in OPERATIONS:
                    members = wire.decode(request.body, dict[str, Any])
                    answer = OPERATIONS[name](kinesis, Parameters(members, wire), now_ms)
                    body = b"" if answer is None else wire.encode(answer)
                case name:
                    raise UnknownOperationException(f"Kinesis has no operation {name!r} here.")
        except KinesisError as error:
            # AWS's own inconsistency: its front end spells the member differently
            member = "Message" if isinstance(error, SerializationException) else "message"
            text = wire.encode({"__type": error.code, member: error.message})
            return Reply(error.status, wire.content_type, text, error.code)
        return Reply(200, wire.content_type, body)
