"""The gate of :mod:`infra.local.gate` before the embedded Kinesis: it reads CBOR, and looks into iterators and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from clickstream.infra.local.gate import requests
from clickstream.infra.local.gate.asgi import control
from clickstream.infra.local.gate.gate import Gate
from clickstream.infra.local.kinesis.http.api import TARGET_PREFIX, Reply, Request
from clickstream.infra.local.kinesis.http.wire import wire_for
from clickstream.infra.local.kinesis.model.errors import KinesisError
from clickstream.infra.local.kinesis.model.tokens import ListingToken, ShardIterator
from clickstream.infra.local.kinesis.regions import Regions


class _Named(msgspec.Struct, rename="pascal"):
    """The members that name the stream of a call; nothing else of the body is decoded."""

    stream_name: str | None = None
    stream_arn: str | None = msgspec.field(default=None, name="StreamARN")
    consumer_arn: str | None = msgspec.field(default=None, name="ConsumerARN")
    resource_arn: str | None = msgspec.field(default=None, name="ResourceARN")
    shard_iterator: str | None = None
    next_token: str | None = None


class KinesisGate:
    """Refuses calls in Kinesis's own form. The model enforces the limits."""

    def __init__(self, gate: Gate, regions: Regions) -> None:
        self._gate = gate
        self._regions = regions

    def refusal(self, request: Request) -> Reply | None:
        """The answer to a call that may not go on; None if it may."""
        who = requests.caller(request.headers.get("authorization", ""))
        wire = wire_for(request.headers.get("content-type", ""))
        named = request.headers.get("x-amz-target", "").startswith(TARGET_PREFIX)
        if who is None or wire is None or not named or not self._gate.judges(who.access_key):
            return None
        try:
            given = msgspec.to_builtins(wire.decode(request.body, _Named))
        except KinesisError:
            return None  # the API refuses the body itself
        call = requests.Request(who._replace(service="kinesis"), request.operation, given)
        refused = self._gate.refusal(call, lambda _: self._stream_of(request.region, given))
        if refused is None:
            return None
        text = wire.encode({"__type": refused.code, "message": refused.message})
        return Reply(refused.status, wire.content_type, text, refused.code)

    def control(self, method: str, body: bytes) -> Reply:
        """Serve the gate's control endpoint."""
        answer = control(self._gate, method, body)
        return Reply(answer.status, dict(answer.headers)[b"content-type"].decode(), answer.body)

    def _stream_of(self, region: str, given: Mapping[str, Any]) -> str:
        """The stream that an iterator or a token carries; ValueError when it was not made here."""
        seal = self._regions.kinesis(region).seal
        try:
            if given["ShardIterator"]:
                return seal.unseal(given["ShardIterator"], ShardIterator).stream
            return seal.unseal(given["NextToken"], ListingToken).stream if given["NextToken"] else ""
        except msgspec.MsgspecError as error:
            raise ValueError(str(error)) from None
