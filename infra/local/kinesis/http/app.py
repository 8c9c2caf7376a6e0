"""The ASGI application: the API, the health check, and the endpoints for faults and the gate."""

from __future__ import annotations

import asyncio
import time
import uuid
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

import msgspec

from infra.local.gate.asgi import CONTROL_PATH, Message, Receive, Scope, Send
from infra.local.gate.gate import Gate
from infra.local.kinesis.http import eventstream
from infra.local.kinesis.http.api import Api, Reply, Request
from infra.local.kinesis.http.gate import KinesisGate
from infra.local.kinesis.http.push import Bell, Opened, events
from infra.local.kinesis.model.faults import Fault
from infra.local.kinesis.regions import Regions
from infra.local.limits.units import MIB

FAULTS_PATH = "/_clickstream/faults"
#: A call's largest body: 10 MiB of records in base64, and their keys.
MAX_BODY_BYTES = 20 * MIB


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class KinesisApp:
    """Answers each request after its changes have become durable."""

    def __init__(
        self,
        regions: Regions,
        *,
        flush: Callable[[], Awaitable[None]] | None = None,
        clock: Callable[[], int] = wall_clock_ms,
        gate: Gate | None = None,
    ) -> None:
        self._regions = regions
        self._api = Api(regions)
        self._gate = None if gate is None else KinesisGate(gate, regions)
        self._flush = flush
        self._clock = clock
        self._bell = Bell()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            await _send(send, Reply(413, "text/plain", b"body too large\n"))
            return
        method, path = scope["method"], scope["path"]
        if path == "/health" and method == "GET":
            await _send(send, Reply(200, "application/json", b'{"status":"ok"}\n'))
        elif path == FAULTS_PATH:
            await _send(send, self._change_faults(method, body))
        elif path == CONTROL_PATH and self._gate is not None:
            await _send(send, self._gate.control(method, body))
        else:
            await self._service(scope, body, receive, send)

    async def _service(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if "origin" in headers:
            send = _to_any_page(send)
        match scope["method"]:
            case "POST":
                await self._call(Request(headers, body, scope["query_string"].decode("latin-1")), receive, send)
            case "OPTIONS":
                await _send(send, Reply(200, "text/plain", b""), _allowed(headers))
            case _:
                await _send(send, Reply(403, "application/xml", _NO_OPERATION, "AccessDeniedException"))

    async def _call(self, request: Request, receive: Receive, send: Send) -> None:
        refused = None if self._gate is None else self._gate.refusal(request)
        if refused is not None:
            await _send(send, refused)
            return
        if delay_ms := self._api.delay_ms(request):
            await asyncio.sleep(delay_ms / 1000)
        answer = self._api.answer(request, self._clock())
        if not isinstance(answer, Reply):
            await self._push(answer, receive, send)
            return
        if request.operation not in ("GetRecords", "GetShardIterator"):
            self._bell.ring()
            if self._flush is not None:
                await self._flush()
        await _send(send, answer)

    async def _push(self, opened: Opened, receive: Receive, send: Send) -> None:
        await send(_start(200, eventstream.CONTENT_TYPE, None))
        gone = asyncio.create_task(_disconnected(receive))
        # at once, not at the next heartbeat: a reader that reconnects must not be refused because of its own old subscription
        gone.add_done_callback(lambda _: opened.kinesis.unsubscribe(opened.subscription))
        try:
            async with aclosing(events(opened, self._bell, self._clock)) as frames:
                async for frame in frames:
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()

    def _change_faults(self, method: str, body: bytes) -> Reply:
        faults = self._regions.faults
        try:
            match method:
                case "POST":
                    for fault in msgspec.json.decode(body, type=list[Fault]):
                        faults.inject(fault)
                case "DELETE":
                    faults.clear()
                case "GET":
                    pass
                case _:
                    return Reply(405, "text/plain", b"GET, POST or DELETE\n")
        except (msgspec.MsgspecError, ValueError) as error:
            return Reply(400, "text/plain", f"{error}\n".encode())
        return Reply(200, "application/json", msgspec.json.encode(faults.active))


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or None when it is too large."""
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        size += len(message.get("body", b""))
        if size <= MAX_BODY_BYTES:
            parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts) if size <= MAX_BODY_BYTES else None


#: The headers that a page of any origin may read: browsers' SDKs need them.
_EXPOSED = b"x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date"
_NO_OPERATION = (
    b"<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n"
    b"</AccessDeniedException>\n"
)


def _to_any_page(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] += [
                (b"access-control-allow-origin", b"*"),
                (b"access-control-expose-headers", _EXPOSED),
            ]
        await send(message)

    return sending


def _allowed(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The headers that answer a browser's preflight request."""
    allowed = [(b"access-control-max-age", b"172800")]
    for what in ("headers", "method"):
        if (asked := headers.get(f"access-control-request-{what}")) is not None:
            name = "headers" if what == "headers" else "methods"
            allowed.append((f"access-control-allow-{name}".encode(), asked.encode("latin-1")))
    return allowed


async def _send(send: Send, reply: Reply, more: list[tuple[bytes, bytes]] | None = None) -> None:
    start = _start(reply.status, reply.content_type, len(reply.body), reply.error)
    await send({**start, "headers": [*start["headers"], *(more or ())]})
    await send({"type": "http.response.body", "body": reply.body})


def _start(status: int, content_type: str, length: int | None, error: str | None = None) -> dict[str, Any]:
    request = uuid.uuid4()
    headers = [
        (b"content-type", content_type.encode()),
        (b"x-amzn-requestid", str(request).encode()),
        (b"x-amz-id-2", b64encode(request.bytes * 3)),
    ]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    if error is not None:
        headers.append((b"x-amzn-errortype", error.encode()))
    return {"type": "http.response.start", "status": status, "headers": headers}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
