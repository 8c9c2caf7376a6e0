"""One request through the real collector, the stream and real workers, seen by a tracing backend as one trace."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from clickstream.aws import Clients
from clickstream.consumers.explain.views import Explainer
from clickstream.identifiers import uuid7
from clickstream.infra.local import roles
from clickstream.settings import Settings, environment
from tests.integration.telemetry.backend import Backend, backend

pytestmark = [pytest.mark.integration, pytest.mark.java]

DEADLINE_S = 90.0
APPLICATIONS = ("analytics", "fraud")


def _until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.1)
    return value


@contextmanager
def _program(settings: Settings, variables: dict[str, str], log: Path, *arguments: str) -> Iterator[None]:
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "clickstream.cli", *arguments],
            env={**environment(settings), **variables},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait()


class Site:
    def __init__(self, backend: Backend, settings: Settings, log: Path) -> None:
        self.backend = backend
        self.settings = settings
        self.log = log

    @property
    def url(self) -> str | None:
        found = re.search(r"collecting on (http\S+)v1/events", self.log.read_text())
        return found[1] if found else None

    def post(self, event: dict[str, Any], **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            f"{self.url}v1/events", json.dumps(event).encode(), {"Content-Type": "application/json", **named}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200


@pytest.fixture
def site(provisioned: Settings, tmp_path: Path) -> Iterator[Site]:
    """The collector and two workers, tracing every request."""
    with backend() as taking, ExitStack() as running:
        variables = {"CLICKSTREAM_TRACE_SAMPLING": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": taking.url}
        for name in APPLICATIONS:
            worker = roles.prepared(provisioned, name)
            running.enter_context(_program(worker, variables, tmp_path / f"{name}.log", "worker", name))
        log = tmp_path / "collect.log"
        collector = roles.under(provisioned, "collector")
        running.enter_context(_program(collector, variables, log, "collect", "--port", "0"))
        made = Site(taking, provisioned, log)
        _until(lambda: made.url, "the collector listens")
        yield made


def _purchase(event_id: str) -> dict[str, Any]:
    return {
        "type": "purchase",
        "event_id": event_id,
        "user_id": "u1",
        "session_id": "s1",
        "occurred_at": time.time_ns() // 1_000_000,
        "order_id": "o1",
        "items": [{"product_id": "p1", "quantity": 1, "price": 500}],
        "amount": 500,
        "currency": "EUR",
        "payment_fingerprint": "4111111111111111",
        "context": {"traceparent": "00-" + "f" * 32 + "-" + "f" * 16 + "-01"},
    }


def test_one_request_is_one_trace_from_the_callers_span_to_every_effect(site: Site) -> None:
    now = int(time.time())
    trace_id, caller = f"{now:08x}{'ab' * 12}", "00000000000000aa"
    event = _purchase(uuid7(time.time_ns() // 1_000_000, 5))
    site.post(event, X_Amzn_Trace_Id=f"Root=1-{trace_id[:8]}-{trace_id[8:]};Parent={caller};Sampled=1")
    wanted = {"POST /v1/events", "put", *(f"{step} {name}" for step in ("fold", "effect") for name in APPLICATIONS)}
    trace = _until(lambda: found if wanted <= (found := site.backend.trace(trace_id)).keys() else None, "every span has come")

    def parent(name: str) -> str:
        return str(trace[name][1].parent_span_id.hex())

    def span_id(name: str) -> str:
        return str(trace[name][1].span_id.hex())

    assert parent("POST /v1/events") == caller
    assert parent("put") == span_id("POST /v1/events")
    for name in APPLICATIONS:
        assert parent(f"fold {name}") == span_id("put")
        assert parent(f"effect {name}") == span_id(f"fold {name}")
        assert trace[f"fold {name}"][0] == f"clickstream-{name}"
        effect = {each.key: each.value for each in trace[f"effect {name}"][1].attributes}
        assert effect["clickstream.shard"].string_value.startswith("shardId-")
        assert re.fullmatch(r"\d{60}\.\d{6}", effect["clickstream.position"].string_value)
    assert trace["put"][1].end_time_unix_nano <= trace["effect fraud"][1].end_time_unix_nano
    # no payload in any span: neither the card nor what stands for it
    assert b"4111" not in b"".join(span.SerializeToString() for span in site.backend.spans)
    # what the client wrote as its event's trace was not believed
    assert site.backend.trace("f" * 32) == {}

    life = Explainer(Clients(site.settings), site.settings).life(event["event_id"])
    assert life.trace_id == trace_id
