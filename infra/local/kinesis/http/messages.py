"""ASGI messages: the request's body read, a reply sent, the headers that browsers need."""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Mapping

from clickstream.infra.local.gate.asgi import Message, Receive, Send
from clickstream.infra.local.kinesis.http.api import Reply
from clickstream.infra.local.limits.units import MIB

#: A call's largest body: 10 MiB of records in base64, and their keys.
MAX_BODY_BYTES = 20 * MIB


async def read_body(receive: Receive) -> bytes | None:
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


def to_any_page(send: Send) -> Send:
    """``send``, with the headers that let a page of any origin read the response."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] += [
                (b"access-control-allow-origin", b"*"),
                (b"access-control-expose-headers", _EXPOSED),
            ]
        await send(message)

    return sending


def preflight_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The headers that answer a browser's preflight request."""
    allowed = [(b"access-control-max-age", b"172800")]
    for what in ("headers", "method"):
        if (asked := headers.get(f"access-control-request-{what}")) is not None:
            name = "headers" if what == "headers" else "methods"
            allowed.append((f"access-control-allow-{name}".encode(), asked.encode("latin-1")))
    return allowed


async def send_reply(send: Send, reply: Reply, more: list[tuple[bytes, bytes]] | None = None) -> None:
    """Send a whole response, with ``more`` headers."""
    start = response_start(reply.status, reply.content_type, len(reply.body), reply.error)
    await send({**start, "headers": [*start["headers"], *(more or ())]})
    await send({"type": "http.response.body", "body": reply.body})


def response_start(status: int, content_type: str, length: int | None, error: str | None = None) -> Message:
    """The status and headers of a response; ``length`` is None where the body is a stream."""
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


async def disconnected(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        continue


async def run_lifespan(receive: Receive, send: Send) -> None:
    """Answer the server's start and shutdown, for which there is nothing to do."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
