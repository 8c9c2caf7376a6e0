"""The ASGI application: the API, the health check, and the endpoints for faults and the gate."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import msgspec

from clickstream.infra.local.gate.asgi import CONTROL_PATH, Receive, Scope, Send
from clickstream.infra.local.gate.gate import Gate
from clickstream.infra.local.kinesis.http import eventstream
from clickstream.infra.local.kinesis.http.api import Api, Reply, Request
from clickstream.infra.local.kinesis.http.gate import KinesisGate
from clickstream.infra.local.kinesis.http.messages import (
    disconnected,
    preflight_headers,
    read_body,
    response_start,
    run_lifespan,
    send_reply,
    to_any_page,
)
from clickstream.infra.local.kinesis.http.push import Bell, Opened, events
from clickstream.infra.local.kinesis.model.faults import Fault
from clickstream.infra.local.kinesis.regions import Regions

FAULTS_PATH = "/_clickstream/faults"
CALLS_PATH = "/_clickstream/calls"
_NO_OPERATION = (
    b"<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n"
    b"</AccessDeniedException>\n"
)


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
        self._calls: Counter[str] = Counter()
        """Operations, each with its error if it failed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await run_lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        if body is None:
            await send_reply(send, Reply(413, "text/plain", b"body too large\n"))
            return
        method, path = scope["method"], scope["path"]
        if path == "/health" and method == "GET":
            await send_reply(send, Reply(200, "application/json", b'{"status":"ok"}\n'))
        elif path == FAULTS_PATH:
            await send_reply(send, self._change_faults(method, body))
        elif path == CALLS_PATH and method == "GET":
            await send_reply(send, Reply(200, "application/json", msgspec.json.encode(self._calls)))
        elif path == CONTROL_PATH and self._gate is not None:
            await send_reply(send, self._gate.control(method, body))
        else:
            await self._service(scope, body, receive, send)

    async def _service(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if "origin" in headers:
            send = to_any_page(send)
        match scope["method"]:
            case "POST":
                await self._call(Request(headers, body, scope["query_string"].decode("latin-1")), receive, send)
            case "OPTIONS":
                await send_reply(send, Reply(200, "text/plain", b""), preflight_headers(headers))
            case _:
                await send_reply(send, Reply(403, "application/xml", _NO_OPERATION, "AccessDeniedException"))

    async def _call(self, request: Request, receive: Receive, send: Send) -> None:
        refused = None if self._gate is None else self._gate.refusal(request)
        if refused is not None:
            await send_reply(send, refused)
            return
        if delay_ms := self._api.delay_ms(request):
            await asyncio.sleep(delay_ms / 1000)
        answer = self._api.answer(request, self._clock())
        if not isinstance(answer, Reply):
            await self._push(answer, receive, send)
            return
        self._calls[" ".join(filter(None, (request.operation, answer.error)))] += 1
        if request.operation not in ("GetRecords", "GetShardIterator"):
            self._bell.ring()
            if self._flush is not None:
                await self._flush()
        await send_reply(send, answer)

    async def _push(self, opened: Opened, receive: Receive, send: Send) -> None:
        await send(response_start(200, eventstream.CONTENT_TYPE, None))
        gone = asyncio.create_task(disconnected(receive))
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
