"""Spans of the events that were sampled where they entered, around an application's fold and sink. Imported only when tracing.

Two spans per traced event and application, below the span that put it: ``fold`` (from the fold until the effects are taken out)
and ``effect`` (until they are durable). What the runtime does knows nothing of it: the application is wrapped.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import UNSET
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from clickstream.application import Application, Fold, Held, Sink, forgotten, holds_back, preview
from clickstream.aws import Clients
from clickstream.errors import ClickstreamError
from clickstream.events import AnyEvent
from clickstream.records.position import Position
from clickstream.settings import Settings
from clickstream.telemetry import traceparent
from clickstream.telemetry.tracing import Tracing, inside, under
from clickstream.token_bucket import TokenBucket

#: Of one shard's process. A stream that is read again, or a catch-up at full speed, would make thousands of spans a second.
MOST_PER_SECOND = 5.0
#: While the store is down.
MOST_WAITING = 512


class Journeys:
    """One shard's fold and its ``sink`` in one, with the traced events between the two.

    ``write`` belongs to the thread that writes, all else to the shard loop's; never two at a time.
    """

    sink: Sink

    def __init__(
        self, tracing: Tracing, application: str, shard_id: str, fold: Fold, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._fold = fold
        self.changes = fold.changes
        self.snapshot = fold.snapshot
        self.restore = fold.restore
        self._tracing = tracing
        self._clock_s = clock_s
        self._bucket = TokenBucket(MOST_PER_SECOND, MOST_PER_SECOND, clock_s())
        self._attributes: dict[str, str | int] = {
            "messaging.system": "aws_kinesis",
            "clickstream.application": application,
            "clickstream.shard": shard_id,
        }
        self._application = application
        self._folded: list[Span] = []
        self._taken: list[tuple[Span, Span]] = []

    def apply(self, events: Sequence[AnyEvent]) -> None:
        self._begin(events)
        self._fold.apply(events)

    def effects(self, *, flush: bool) -> Sequence[Any]:
        effects = self._fold.effects(flush=flush)
        self._taken_out(effects=bool(effects))
        return effects

    def preview(self) -> Sequence[Any]:
        effects = preview(self._fold)
        self._taken_out(effects=bool(effects))
        return effects

    @property
    def holds_back(self) -> Held:
        return holds_back(self._fold)

    @property
    def forgotten(self) -> int:
        return forgotten(self._fold)

    def write(self, effects: Sequence[Any], position: Position) -> None:
        try:
            self.sink.write(effects, position)
        except ClickstreamError as error:  # it will be called again, and the spans go on
            for _, span in self._taken:
                span.add_event("retry", {"reason": str(error)})
            raise
        taken, self._taken = self._taken, []
        for _, span in taken:
            span.set_attribute("clickstream.position", str(position))
            span.set_status(Status(StatusCode.OK))
            span.end()

    def _begin(self, events: Sequence[AnyEvent]) -> None:
        if self._bucket.wait_for(1, self._clock_s()):
            return  # not even a look at each event
        for event in [event for event in events if event.context.traceparent is not UNSET]:
            parent = traceparent.parse(event.context.traceparent)
            if parent is None or not parent.sampled:
                continue
            if len(self._folded) + len(self._taken) >= MOST_WAITING or self._bucket.take(1, self._clock_s()):
                return
            # the time since the event occurred is in no span: clocks of shoppers differ from ours
            attributes = {
                **self._attributes,
                "clickstream.event_id": event.event_id,
                "clickstream.occurred_at": event.occurred_at,
            }
            self._folded.append(self._tracing.start(f"fold {self._application}", SpanKind.CONSUMER, under(parent), attributes))

    def _taken_out(self, *, effects: bool) -> None:
        """Effects were taken out of the fold; without any, what was folded has none of its own to wait for."""
        if not self._folded:
            return
        folded, self._folded = self._folded, []
        for span in folded:
            span.set_attribute("clickstream.effects", effects)
            span.end()
        if effects:
            self._taken += [
                (span, self._tracing.start(f"effect {self._application}", SpanKind.INTERNAL, inside(span), self._attributes))
                for span in folded
            ]


class TracedApplication:
    """See :class:`clickstream.application.Application`; the same one, seen through spans."""

    def __init__(self, application: Application, settings: Settings, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._application = application
        self._settings = settings
        self.name = application.name
        self._tracing: Tracing | None = None
        self._journeys: dict[str, Journeys] = {}

    def open_fold(self, shard_id: str) -> Fold:
        if self._tracing is None:
            # only now: a shard's process is forked, and the exporter's thread would not be in the fork
            self._tracing = Tracing(self._settings, f"clickstream-{self.name}")
        fold = self._application.open_fold(shard_id)
        journeys = self._journeys[shard_id] = Journeys(self._tracing, self.name, shard_id, fold, self._clock_s)
        return journeys

    def open_sink(self, shard_id: str, clients: Clients, settings: Settings) -> Sink:
        journeys = self._journeys[shard_id]
        journeys.sink = self._application.open_sink(shard_id, clients, settings)
        return journeys

    def close(self) -> None:
        """Send the last spans; a shard's process ends without exit handlers."""
        if self._tracing is not None:
            self._tracing.close()
