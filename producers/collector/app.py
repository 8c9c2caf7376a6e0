"""The web application. :meth:`_Endpoints.events` is the path of one request from its first byte to its answer."""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from clickstream.errors import Rejected
from clickstream.events import DeviceKind, encode
from clickstream.identifiers import ENTROPY_BITS, uuid7
from clickstream.producers.collector import openapi
from clickstream.producers.collector.answers import RETRY_AFTER_S, EventAnswer, Refused, answer_each, busy, rejected, sum_up
from clickstream.producers.collector.bodies import Bounds, Form, TooMany, split
from clickstream.producers.collector.clients import addresses, devices
from clickstream.producers.collector.clients.admission import Admission, Sender
from clickstream.producers.collector.clients.fingerprints import Fingerprints
from clickstream.producers.collector.clients.keys import ApiKey
from clickstream.producers.collector.delivery import Fate, Puts, deliver
from clickstream.producers.collector.health import StreamHealth
from clickstream.producers.collector.meters import EVENTS, Meter
from clickstream.producers.collector.reading import Budget, Lease, form_of, read_body
from clickstream.producers.collector.reception import receive
from clickstream.producers.door import Entered
from clickstream.telemetry import prometheus
from clickstream.web.listening import is_loopback

#: Where the endpoint finds the trace of a sampled request in its ASGI scope (producers.collector.tracing puts it there).
TRACE = "clickstream.trace"
STATIC = Path(__file__).parent / "static"
_JSON = "application/json"
#: Of a small object with its texts: an id, a told problem.
_OBJECT_BYTES = 512
log = structlog.get_logger()


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    monotonic: Callable[[], float]
    """Seconds."""
    wall_ms: Callable[[], int]
    """Milliseconds since the epoch."""


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds."""

    body: float = 10.0
    """For a request's body to arrive."""
    acknowledgement: float = 10.0
    """For Kinesis to answer for all events of a request."""


def create_app(
    puts: Puts,
    fingerprints: Fingerprints,
    clocks: Clocks,
    *,
    keys: Iterable[ApiKey] | None,
    origins: Sequence[str] = (),
    trusted: Sequence[addresses.Network] = (),
    bounds: Bounds | None = None,
    timeouts: Timeouts | None = None,
    memory: int = 64 * 1024 * 1024,
    meter: Meter | None = None,
    traces: Middleware | None = None,
    stream: str = "",
) -> Starlette:
    """The application over an open publisher.

    ``keys`` None serves this machine alone. ``origins`` are those of pages that may send (CORS); ``trusted`` the networks of
    proxies whose X-Forwarded-For counts; ``memory`` the bytes that requests may hold at once. ``meter`` counts
    for /metrics; ``traces`` is producers.collector.tracing's middleware, and ``stream`` the name that its spans give.
    ``app.state.drain()`` makes /readyz say that the end has begun.
    """
    bounds = bounds or Bounds()
    endpoints = _Endpoints(
        puts=puts,
        fingerprints=fingerprints,
        clocks=clocks,
        admission=Admission(keys, trusted, clocks.monotonic()),
        bounds=bounds,
        openapi=openapi.document(bounds),
        timeouts=timeouts or Timeouts(),
        budget=Budget(memory),
        meter=meter or Meter(),
        stream=stream,
    )
    app = Starlette(
        routes=[
            Route(EVENTS, endpoints.metered, methods=["POST"]),
            Route("/clickstream.js", endpoints.snippet),
            Route("/openapi.json", endpoints.document),
            Route("/healthz", endpoints.healthz),
            Route("/readyz", endpoints.readyz),
            Route("/metrics", endpoints.metrics),
        ],
        middleware=[
            *([traces] if traces is not None else []),
            Middleware(
                CORSMiddleware,
                allow_origins=origins,
                allow_methods=["POST"],
                allow_headers=["Authorization", "Content-Encoding", "Content-Type", "X-Api-Key"],
                expose_headers=["Retry-After"],
                # not that any cookie is read: a browser's beacon always counts as a request with credentials
                allow_credentials=True,
            ),
        ],
        exception_handlers={Refused: _refused, HTTPException: _http, Exception: _fault},
    )
    app.state.drain = endpoints.drain
    return app


@dataclass(kw_only=True)
class _Endpoints:
    puts: Puts
    fingerprints: Fingerprints
    clocks: Clocks
    admission: Admission
    bounds: Bounds
    openapi: bytes
    timeouts: Timeouts
    budget: Budget
    meter: Meter
    stream: str
    health: StreamHealth = field(default_factory=StreamHealth)
    draining: bool = False

    async def metered(self, request: Request) -> Response:
        """:meth:`events`, counted; a fault of ours counts as the 500 that is answered further out."""
        began, status = time.perf_counter(), 500
        try:
            response = await self.events(request)
            status = response.status_code
        except Refused as refused:
            status = refused.status
            raise
        finally:
            self.meter.request(status, time.perf_counter() - began)
        return response

    async def events(self, request: Request) -> Response:
        sender = self.admission.admit(request, self.clocks.monotonic())
        form = form_of(request)
        with Lease(self.budget) as lease:
            body = await read_body(request, self.bounds, lease, self.timeouts.body)
            trace = request.scope.get(TRACE)  # of a sampled request alone
            received, records = self._received(body, form, sender, request, trace)
            # while Kinesis is waited for nothing larger is kept than the encoded events and what their senders will be told
            del body
            if not lease.grow(_memory(received, records) - lease.held):
                raise busy()
            fates = await self._deliver(records)
        if trace is not None:
            trace.delivered(fates)
        status, answer = sum_up(answer_each(received, fates))
        self.meter.events(answer)
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
        return _json(answer, status, headers)

    def _received(
        self, body: bytes, form: Form, sender: Sender, request: Request, trace: Any
    ) -> tuple[list[EventAnswer], list[tuple[str, bytes]]]:
        """An answer each, and the (partition key, data) of those that are not rejected.

        Never waits, so the parsed events of one request alone are in memory, which are larger than their bytes.
        """
        documents = self._documents(body, form, sender)
        # a relay's own User-Agent says nothing of its visitors
        kind = None if sender.relay and sender.bucket is not None else devices.kind(request.headers.get("user-agent", ""))
        received = self._receive(documents, sender, kind)
        taken = [each.event for each in received if isinstance(each, Entered)]
        if trace is not None:
            taken = trace.mark(taken, self.stream)
        return list(map(_answer, received)), [(event.user_id, encode(event)) for event in taken]

    def _documents(self, body: bytes, form: Form, sender: Sender) -> list[bytes | Rejected]:
        """Raises Refused (400, 413, 429); a body that is refused costs its sender one event."""
        try:
            documents = split(body, form, self.bounds)
        except Rejected as error:
            sender.charge(1, self.clocks.monotonic())
            raise Refused(413 if isinstance(error, TooMany) else 400, error.reason) from error
        sender.charge(len(documents), self.clocks.monotonic())
        return documents

    def _receive(
        self, documents: Sequence[bytes | Rejected], sender: Sender, device_kind: DeviceKind | None
    ) -> list[Entered | EventAnswer]:
        address = self.fingerprints.ip(sender.address)
        received: list[Entered | EventAnswer] = []
        for document in documents:
            if isinstance(document, Rejected):
                received.append(rejected(document))
                continue
            entered = receive(document, self._new_id, self.clocks.wall_ms())
            if isinstance(entered, Entered):
                event = entered.event
                visitor = (
                    self.fingerprints.ip(addresses.normal(event.context.ip)) if sender.relay and event.context.ip else address
                )
                entered = entered._replace(event=self.fingerprints.hide(devices.named(event, device_kind), visitor))
            received.append(entered)
        return received

    async def _deliver(self, records: Sequence[tuple[str, bytes]]) -> list[Fate]:
        if not records:
            return []
        fates = await deliver(self.puts, records, self.timeouts.acknowledgement)
        delivered = "retry" not in fates
        forbidden = None if delivered else self.puts.forbidden
        if forbidden is not None and self.health.worth_a_line(self.clocks.monotonic()):
            log.error(
                "the stream refuses this collector; clients are told to send their events again",
                action=forbidden.action,
                resource=forbidden.resource,
                error=str(forbidden),
            )
        if self.health.note(delivered=delivered, now=self.clocks.monotonic()):
            if delivered:
                log.info("the stream takes events again")
            else:
                log.warning("the stream does not take every event; clients are told to send them again")
        return fates

    def _new_id(self) -> str:
        return uuid7(self.clocks.wall_ms(), secrets.randbits(ENTROPY_BITS))

    async def snippet(self, request: Request) -> Response:
        headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
        # a script that any shop's page may load
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return FileResponse(STATIC / "clickstream.js", media_type="text/javascript", headers=headers)

    async def document(self, request: Request) -> Response:
        return Response(self.openapi, media_type=_JSON)

    async def healthz(self, request: Request) -> Response:
        return _json({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Whether to send traffic here; if not, says which side is stuck."""
        if self.draining:
            return _json({"status": "not ready", "stuck": "collector", "reason": "it is ending"}, 503)
        if not self.health.ready(self.clocks.monotonic()):
            forbidden = self.puts.forbidden
            reason = "the last put was not acknowledged"
            if forbidden is not None:
                reason = f"not allowed: {forbidden.action} on {forbidden.resource}"
            return _json({"status": "not ready", "stuck": "stream", "reason": reason}, 503)
        return _json({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        """For Prometheus, on this machine alone: how much a shop sells is not for everybody who may send events."""
        if request.client is None or not is_loopback(request.client.host) or "x-forwarded-for" in request.headers:
            raise HTTPException(404, "Not Found")
        return Response(prometheus.render(self.meter.samples()), media_type=prometheus.CONTENT_TYPE)

    def drain(self) -> None:
        self.draining = True


def _answer(received: Entered | EventAnswer) -> EventAnswer:
    if isinstance(received, EventAnswer):
        return received
    return EventAnswer(received.event.event_id, "retry", (), received.not_kept, received.assigned)


def _memory(received: Sequence[EventAnswer], records: Sequence[tuple[str, bytes]]) -> int:
    """Bytes, roughly, that a request holds while it waits for its answer."""
    objects = sum(1 + len(each.errors) + len(each.not_kept) + len(each.assigned) for each in received) + len(records)
    return _OBJECT_BYTES * objects + sum(len(data) for _, data in records)


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, _JSON)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return _json({"error": str(error), "hint": error.hint}, error.status, error.headers)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"error": error.detail, "hint": "events go to POST /v1/events"}, error.status_code, error.headers)


async def _fault(_: Request, __: Exception) -> Response:
    """Answered outside of all middleware; Starlette then raises the error again, so the log has the traceback."""
    return _json({"error": "a fault of this server; its log says more", "hint": ""}, 500)
