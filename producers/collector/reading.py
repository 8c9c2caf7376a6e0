"""A request's body into memory: no more of it than is allowed, no longer than is allowed, and within what all requests may hold
at once, from their first byte to their answer."""

import asyncio
from dataclasses import dataclass
from typing import Self

from starlette.requests import ClientDisconnect, Request

from clickstream.errors import TooLarge, Undecodable
from clickstream.producers.collector.answers import Refused, busy
from clickstream.producers.collector.bodies import FORMS, Bounds, Form, inflate


@dataclass
class Budget:
    """Bytes of all requests together. Belongs to one event loop."""

    size: int
    used: int = 0


@dataclass
class Lease:
    """A share of the budget that can grow, given back at the end of a ``with`` block."""

    _budget: Budget
    held: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.used -= self.held

    def grow(self, size: int) -> bool:
        """False, and nothing taken, when there is not so much left."""
        if self._budget.used + size > self._budget.size:
            return False
        self._budget.used += size
        self.held += size
        return True


def form_of(request: Request) -> Form:
    """Raises Refused (415) for a content type or encoding that is not taken."""
    form = FORMS.get(request.headers.get("content-type", "").partition(";")[0].strip().lower())
    if form is None:
        raise Refused(415, "a body of another type", f"send Content-Type: {' or '.join(FORMS)}")
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("identity", "gzip"):
        raise Refused(415, "a body in an unknown encoding", "send it plain or with Content-Encoding: gzip")
    return form


async def read_body(request: Request, bounds: Bounds, lease: Lease, timeout: float) -> bytes:
    """The body, inflated. Raises Refused: 400, 408, 413, or 503 when the memory for requests is used up.

    The lease holds the bytes while they trickle in, and then the inflated ones.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > bounds.body_bytes:
        raise _too_large(bounds)
    try:
        async with asyncio.timeout(timeout):
            body = await _read(request, bounds, lease)
    except TimeoutError as error:
        raise Refused(408, f"the body did not come within {timeout:g} seconds") from error
    except ClientDisconnect as error:
        raise Refused(400, "the client left before its body was here") from error
    if request.headers.get("content-encoding", "").strip().lower() != "gzip":
        return body
    try:
        content = inflate(body, bounds)
    except TooLarge as error:
        raise Refused(413, error.reason) from error
    except Undecodable as error:
        raise Refused(400, error.reason) from error
    if not lease.grow(len(content)):
        raise busy()
    return content


async def _read(request: Request, bounds: Bounds, lease: Lease) -> bytes:
    chunks: list[bytes] = []
    async for chunk in request.stream():
        if lease.held + len(chunk) > bounds.body_bytes:
            raise _too_large(bounds)
        if not lease.grow(len(chunk)):
            raise busy()
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(bounds: Bounds) -> Refused:
    return Refused(413, f"a body of more than {bounds.body_bytes:,} bytes", "send fewer events at once, or with gzip")
