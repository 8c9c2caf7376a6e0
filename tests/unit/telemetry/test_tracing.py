"""Spans around an application's fold and sink, and what a trace context is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from clickstream.application import Inheritance
from clickstream.consumers.runtime.progress.tracing import MOST_PER_SECOND, Journeys
from clickstream.errors import RetryLater
from clickstream.events import AnyEvent, Context, Login
from clickstream.records.position import Position
from clickstream.settings import Settings
from clickstream.telemetry import traceparent
from clickstream.telemetry.traceparent import TraceParent
from clickstream.telemetry.tracing import Tracing, under
from clickstream.token_bucket import TokenBucket

PARENT = TraceParent(0x66_00_00_00 << 96 | 7, 9, sampled=True)


class Kept(SpanExporter):
    """Keeps what is exported."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


class Count:
    """A fold that counts, and has an effect when it has counted anything."""

    def __init__(self) -> None:
        self.new = 0

    def apply(self, events: Sequence[AnyEvent]) -> None:
        self.new += len(events)

    def effects(self, *, flush: bool) -> Sequence[Any]:
        new, self.new = self.new, 0
        return [new] if new > 1 else []

    def changes(self) -> bytes:
        return b"changes"

    def snapshot(self) -> bytes:
        return b"snapshot"

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        self.new = len(state)


class Store:
    """A sink that fails as often as it is told to."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def write(self, effects: Sequence[Any], position: Position) -> None:
        if self.failures:
            self.failures -= 1
            raise RetryLater("the store is down")


@pytest.fixture
def kept() -> Kept:
    return Kept()


def _journeys(kept: Kept) -> tuple[Tracing, Journeys]:
    tracing = Tracing(Settings(trace_sampling=1.0), "test", kept)
    return tracing, Journeys(tracing, "analytics", "shard-1", Count())


def _login(number: int, context: Context | None = None) -> Login:
    return Login(event_id=f"e{number}", user_id="u", session_id="s", occurred_at=number, context=context or Context())


def _traced(number: int, parent: TraceParent = PARENT) -> Login:
    return _login(number, Context(traceparent=str(parent)))


def test_a_traced_event_gets_a_span_for_its_fold_and_one_for_its_effect(kept: Kept) -> None:
    tracing, fold = _journeys(kept)
    fold.sink = Store(failures=1)
    fold.apply([_login(1), _traced(2), _traced(3, TraceParent(5, 6, sampled=False))])
    effects = fold.effects(flush=False)
    with pytest.raises(RetryLater):
        fold.write(effects, Position(50, 1))
    fold.write(effects, Position(50, 1))
    tracing.close()
    folded, effect = kept.spans
    assert [folded.name, effect.name] == ["fold analytics", "effect analytics"]
    assert folded.parent is not None
    assert (folded.parent.trace_id, folded.parent.span_id) == (PARENT.trace_id, PARENT.span_id)
    assert effect.parent is not None
    assert effect.parent == folded.get_span_context()
    assert folded.attributes is not None
    assert folded.attributes["clickstream.event_id"] == "e2"
    assert effect.attributes is not None
    assert effect.attributes["clickstream.position"] == str(Position(50, 1))
    assert [event.name for event in effect.events] == ["retry"]


def test_what_has_no_effect_ends_with_its_fold(kept: Kept) -> None:
    tracing, fold = _journeys(kept)
    fold.apply([_traced(1)])
    assert fold.effects(flush=True) == []
    tracing.close()
    (only,) = kept.spans
    assert only.attributes is not None
    assert (only.name, only.attributes["clickstream.effects"]) == ("fold analytics", False)


def test_the_fold_is_the_same_but_for_its_spans(kept: Kept) -> None:
    tracing, fold = _journeys(kept)
    fold.restore(b"123", None)
    assert (fold.changes(), fold.snapshot(), fold.effects(flush=False)) == (b"changes", b"snapshot", [3])
    tracing.close()
    assert kept.spans == []


def test_a_flood_of_traced_events_is_paced(kept: Kept) -> None:
    tracing = Tracing(Settings(trace_sampling=1.0), "test", kept)
    now = 0.0
    fold = Journeys(tracing, "analytics", "shard-1", Count(), lambda: now)
    fold.sink = Store(failures=0)

    def flood() -> int:
        before = len(kept.spans)
        for _ in range(5):
            fold.apply([_traced(number) for number in range(200)])
            fold.write(fold.effects(flush=False), Position(1))
        tracing.flush()
        return sum(span.name == "fold analytics" for span in kept.spans[before:])

    assert flood() == MOST_PER_SECOND
    assert flood() == 0
    now = 0.6
    assert flood() == MOST_PER_SECOND * 0.6
    now = 1_000.0
    assert flood() == MOST_PER_SECOND, "a pause saves up one second's at most"
    tracing.close()


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=300))
def test_a_pace_is_never_passed(steps: list[float]) -> None:
    now = 0.0
    bucket = TokenBucket(10.0, 10.0, now)
    taken: list[float] = []
    for step in steps:
        now += step
        if not bucket.take(1, now):
            taken.append(now)
    for first, start in enumerate(taken):
        for count, end in enumerate(taken[first:], 1):
            assert count <= 10.0 * (1 + end - start) + 1e-6


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_a_trace_context_is_read_as_opentelemetry_and_xray_read_it(trace_id: int, span_id: int, sampled: bool) -> None:
    made = TraceParent(trace_id, span_id, sampled)
    assert traceparent.parse(str(made)) == made
    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers, under(made))
    assert headers["traceparent"] == str(made)
    AwsXRayPropagator().inject(headers, under(made))
    digits = f"{made.trace_id:032x}"
    assert f"Root=1-{digits[:8]}-{digits[8:]};" in headers["X-Amzn-Trace-Id"]


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "nonsense",
        "ff-" + "1" * 32 + "-" + "1" * 16 + "-01",
        "00-" + "0" * 32 + "-" + "1" * 16 + "-01",
        "00-" + "1" * 32 + "-" + "0" * 16 + "-01",
        "00-" + "1" * 32 + "-" + "1" * 16 + "-01-more",
        "00-" + "A" * 32 + "-" + "1" * 16 + "-01",
    ],
)
def test_what_is_no_trace_context_is_ignored(text: object) -> None:
    assert traceparent.parse(text) is None
