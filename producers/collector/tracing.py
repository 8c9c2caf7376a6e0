"""A sampled request's spans, and their context in its events. Imported only when tracing is on.

Spans: ``POST /v1/events`` (from head to answer), below it ``put`` (from the events' hand-over to Kinesis's answer). The context
of ``put`` travels in the events, so each application's work on them hangs below it.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clickstream.events import AnyEvent
from clickstream.producers.collector.app import TRACE
from clickstream.producers.collector.delivery import Fate
from clickstream.producers.collector.meters import EVENTS
from clickstream.telemetry.tracing import Tracing, inside, parent_of, traceparent_of
from clickstream.token_bucket import TokenBucket

#: Traced requests of one collector.
MOST_PER_SECOND = 5.0


class RequestTrace:
    def __init__(self, tracing: Tracing, request: Span) -> None:
        self._tracing = tracing
        self._request = request
        self._put: Span | None = None

    def mark(self, events: Sequence[AnyEvent], stream: str) -> list[AnyEvent]:
        """The same events, the first with the context of the span that puts them, which begins now.

        One event stands for its request: a batch of hundreds must not make thousands of spans behind the stream.
        """
        if not events:
            return []
        attributes: dict[str, str | int] = {
            "messaging.system": "aws_kinesis",
            "messaging.destination.name": stream,
            "messaging.batch.message_count": len(events),
        }
        self._put = self._tracing.start("put", SpanKind.PRODUCER, inside(self._request), attributes)
        traceparent = str(traceparent_of(self._put))
        first, *others = events
        return [
            msgspec.structs.replace(first, context=msgspec.structs.replace(first.context, traceparent=traceparent)),
            *others,
        ]

    def delivered(self, fates: Sequence[Fate]) -> None:
        """Kinesis has answered for all of them, or the deadline has come."""
        if self._put is None:
            return
        repeat = sum(fate == "retry" for fate in fates)
        self._put.set_attribute("clickstream.retry", repeat)
        if repeat:
            self._put.set_status(Status(StatusCode.ERROR, "not acknowledged"))
        self._put.end()

    def answered(self, status: int) -> None:
        self._request.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._request.set_status(Status(StatusCode.ERROR))
        self._request.end()


@dataclass
class Traced:
    """ASGI middleware: begins a trace for a ``share`` (0 to 1) of the requests for events, drawn by ``chance``.

    At most ``MOST_PER_SECOND``, whatever the share: traces are examples, and their cost must not grow with the traffic.
    """

    app: ASGIApp
    tracing: Tracing
    share: float
    chance: Callable[[], float] = random.random
    clock_s: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._bucket = TokenBucket(MOST_PER_SECOND, MOST_PER_SECOND, self.clock_s())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_drawn = scope["type"] == "http" and scope["path"] == EVENTS and self.chance() < self.share
        if not is_drawn or self._bucket.take(1, self.clock_s()):
            await self.app(scope, receive, send)
            return
        attributes = {"http.request.method": scope["method"], "url.path": EVENTS}
        span = self.tracing.start(f"POST {EVENTS}", SpanKind.SERVER, parent_of(Headers(scope=scope)), attributes)
        trace = scope[TRACE] = RequestTrace(self.tracing, span)
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            trace.answered(status)
