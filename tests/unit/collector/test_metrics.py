"""What the collector tells Prometheus, and to whom; and the trace context of its events."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.middleware import Middleware

from clickstream.producers.collector.meters import Meter
from clickstream.producers.collector.tracing import MOST_PER_SECOND, Traced
from clickstream.producers.publisher.puts import Counters
from clickstream.settings import Settings
from clickstream.telemetry import traceparent
from clickstream.telemetry.tracing import Tracing
from tests.unit.collector.conftest import Site, event
from tests.unit.telemetry.test_tracing import Kept

FOREIGN = "00-" + "f" * 32 + "-" + "f" * 16 + "-01"


def _metrics(site: Site) -> dict[tuple[str, str], float]:
    answer = site.client.get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(each.name, ",".join(each.labels.values())): each.value for family in families for each in family.samples}


def test_requests_and_events_are_counted_refused_ones_too() -> None:
    publisher: Any = SimpleNamespace(counters=Counters(delivered=3, throttled=2), waiting=(4, 900), forbidden=None)
    site = Site(meter=Meter(publisher))
    site.post([event(event_id="a", colour="red", size="m"), event(event_id="b"), {"type": "nonsense"}])
    site.post(b"{]", content_type="image/png")
    site.stream.mood = "full"
    site.post(event())
    site.client.get("/healthz")
    found = _metrics(site)
    for status in ("207", "415", "503"):
        assert found["clickstream_collector_requests_total", status] == 1
    for outcome, count in (("accepted", 2), ("rejected", 1), ("retry", 1)):
        assert found["clickstream_collector_events_total", outcome] == count
    assert found["clickstream_collector_undeclared_total", ""] == 1
    assert found["clickstream_collector_answer_seconds_count", ""] == 3
    assert found["clickstream_publisher_delivered_total", ""] == 3
    assert found["clickstream_publisher_throttled_total", ""] == 2
    assert found["clickstream_publisher_pending_bytes", ""] == 900


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-For": "127.0.0.1"}])
def test_metrics_are_for_this_machine_alone(headers: dict[str, str]) -> None:
    site = Site(peer="127.0.0.1" if headers else "198.51.100.7")
    assert site.client.get("/metrics", headers=headers).status_code == 404


def test_a_client_cannot_say_which_of_its_events_are_traced(site: Site) -> None:
    site.post(event(context={"traceparent": FOREIGN, "country": "FI"}))
    assert "traceparent" not in site.taken()[0]["context"]
    assert site.taken()[0]["context"]["country"] == "FI"


@pytest.mark.parametrize(("drawn", "traced"), [(0.29, True), (0.3, False), (0.99, False)])
def test_the_share_decides_and_marks_every_event_of_the_request(drawn: float, traced: bool) -> None:
    kept = Kept()
    tracing = Tracing(Settings(), "test", kept)
    site = Site(traces=Middleware(Traced, tracing=tracing, share=0.3, chance=lambda: drawn), stream="shop")
    answer = site.post([event(event_id="a"), event(event_id="b", context={"traceparent": FOREIGN})], traceparent=FOREIGN)
    tracing.close()
    assert answer.status_code == 200
    marks = [each["context"].get("traceparent") for each in site.taken()]
    if not traced:
        assert (marks, kept.spans) == ([None, None], [])
        return
    put, request = kept.spans
    assert [put.name, request.name] == ["put", "POST /v1/events"]
    parent = traceparent.parse(marks[0])
    assert parent is not None
    context = put.get_span_context()
    assert context is not None
    assert (parent.span_id, parent.trace_id) == (context.span_id, int("f" * 32, 16))
    assert marks[1] is None, "one event stands for its request"
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 200


def test_traces_are_paced_whatever_the_traffic() -> None:
    kept = Kept()
    tracing = Tracing(Settings(), "test", kept)
    site = Site(traces=Middleware(Traced, tracing=tracing, share=1.0, clock_s=lambda: 5.0))
    for number in range(30):
        site.post(event(event_id=f"e{number}"))
    tracing.close()
    assert sum("traceparent" in each["context"] for each in site.taken()) == MOST_PER_SECOND
    assert sum(span.name == "put" for span in kept.spans) == MOST_PER_SECOND


def test_a_request_that_is_refused_has_its_span_too() -> None:
    kept = Kept()
    tracing = Tracing(Settings(), "test", kept)
    site = Site(traces=Middleware(Traced, tracing=tracing, share=1.0))
    site.post(b"{]", content_type="image/png")
    site.stream.mood = "full"
    site.post(event())
    tracing.close()
    assert [span.name for span in kept.spans] == ["POST /v1/events", "put", "POST /v1/events"]
    assert [span.status.status_code.name for span in kept.spans] == ["UNSET", "ERROR", "ERROR"]
