"""The gate as ASGI middleware, before ministack in ministack's own process: no further hop, no second copy of an object."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from clickstream.infra.local.gate import faults, requests
from clickstream.infra.local.gate.gate import Gate
from clickstream.infra.local.gate.protocols import Answer, render
from clickstream.infra.local.limits.refusal import Refusal

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CONTROL_PATH = "/_clickstream/gate"


class _ClientGone(Exception):
    """The client was killed within its request: half of one is nothing to judge, and nobody waits for an answer."""


class Middleware:
    """Answers what the gate refuses, and passes every other request on unchanged."""

    def __init__(self, app: App, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with suppress(_ClientGone):
            if scope["path"] == CONTROL_PATH:
                await _send(send, control(self._gate, scope["method"], (await _read(receive))[0]))
            else:
                await self._judge(scope, receive, send)

    async def _judge(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        who = requests.caller(headers.get("authorization", ""))
        if who is None:
            await self._app(scope, receive, send)
            return
        method, query = scope["method"], scope["query_string"].decode("latin-1")
        # the raw path: a server may have decoded "path", and a key may hold an encoded slash
        path = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0].decode("latin-1")
        body, onward = b"", receive
        if requests.needs_body(who.service, method, query):
            body, onward = await _read(receive)
        request = requests.parse(who, method, path, query, headers, body)
        refusal = request if isinstance(request, Refusal) else self._gate.refusal(request)
        head = method == "HEAD"
        if refusal is not None:
            if not body and onward is receive:
                await _read(receive)  # the connection takes its next request only after this body has been read
            await _send(send, render(who.service, refusal, head=head))
            return
        hidden = None if isinstance(request, Refusal) or who.service != "s3" else self._gate.hidden(request)
        await self._app(scope, onward, send if hidden is None else _hiding(send, render("s3", hidden, head=head)))


def control(gate: Gate, method: str, body: bytes) -> Answer:
    """Serve the control endpoint: POST adds the body's faults, DELETE removes them, or all of them when the body is empty.

    Every answer lists the faults in force and what the policies have denied so far.
    """
    status, text = 200, ""
    try:
        given = faults.read(body) if body else []
        match method:
            case "POST":
                gate.active += given
            case "DELETE":
                gate.active = [each for each in gate.active if each not in given] if given else []
            case "GET":
                pass
            case _:
                status, text = 405, "GET, POST or DELETE\n"
    except ValueError as error:
        status, text = 400, f"{error}\n"
    data = (text or json.dumps({"active": [each._asdict() for each in gate.active], "denied": list(gate.denied)})).encode()
    kind = b"text/plain" if text else b"application/json"
    return Answer(status, ((b"content-type", kind), (b"content-length", str(len(data)).encode())), data)


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """The whole body, and a ``receive`` that returns it again. Raises _ClientGone."""
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGone
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(parts)
    return body, _once({"type": "http.request", "body": body, "more_body": False}, receive)


def _once(message: Message, receive: Receive) -> Receive:
    waiting = [message]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


async def _send(send: Send, reply: Answer) -> None:
    await send({"type": "http.response.start", "status": reply.status, "headers": list(reply.headers)})
    await send({"type": "http.response.body", "body": reply.body})


def _hiding(send: Send, instead: Answer) -> Send:
    """``send``, with a 404 replaced by another answer."""
    replaced = False

    async def hide(message: Message) -> None:
        nonlocal replaced
        if message["type"] == "http.response.start" and message["status"] == 404:
            replaced = True
            await _send(send, instead)
        elif not replaced:
            await send(message)

    return hide
