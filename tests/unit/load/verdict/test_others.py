"""Events of others on a stream: read as far as memory allows, and told from one's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.events import Login, encode
from clickstream.load.replay.inputs import Form, Input
from clickstream.load.replay.replayed import Earlier
from clickstream.load.verdict import others, queries
from clickstream.load.verdict.comparers import archived
from clickstream.load.verdict.comparers.aggregates import Totals, Window
from clickstream.load.verdict.progress import Counted
from clickstream.settings import Settings

T0 = 1_700_000_040_000
Put = Callable[[str], None]


def _login(event_id: str, at: int = T0) -> bytes:
    return encode(Login(event_id=event_id, user_id="u", session_id="s", occurred_at=at))


@pytest.fixture
def put() -> Iterator[Put]:
    with mock_aws():
        settings = Settings()
        kinesis = boto3.client("kinesis", region_name=settings.region)
        kinesis.create_stream(StreamName=settings.stream, ShardCount=1)
        yield lambda event_id: kinesis.put_record(StreamName=settings.stream, Data=_login(event_id), PartitionKey="u") and None


def test_a_stream_of_too_many_events_is_not_held_in_memory(put: Put) -> None:
    clients, settings = Clients(Settings()), Settings()
    for event_id in "abc":
        put(event_id)

    assert [entry.event.event_id for entry in others.on_stream(clients, settings, most=3) or ()] == ["a", "b", "c"]
    assert others.on_stream(clients, settings, most=2) is None


def test_ones_own_events_are_not_of_others(put: Put) -> None:
    started_ms = time.time_ns() // 1_000_000 - 1_000
    for event_id in ("own", "strange"):
        put(event_id)

    found = others.since(Clients(Settings()), Settings(), started_ms, archived.fingerprints([("own", "u")]))

    assert [entry.event.event_id for entry in found or ()] == ["strange"]


def test_where_not_all_is_known_the_windows_without_an_answer_can_be_judged(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a")
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n".join([_login("b"), _login("c", T0 + 60_000)]))
    answered = {Window("minute", T0): Totals(events={"login": 1}), Window("minute", T0 + 60_000): Totals()}
    monkeypatch.setattr(queries, "ask", lambda _windows: answered)

    def earlier(counted: int, started_ms: int = 2**42) -> Earlier:
        return Earlier.of(Clients(Settings()), Settings(), Counted(events=counted), Input(str(path), Form()), started_ms)

    assert earlier(1).is_all
    assert earlier(0, started_ms=0).is_all, "it came after the replay had begun"
    assert not earlier(2).is_all
    assert earlier(2).empty == others.windows([T0, T0 + 60_000]) - {Window("minute", T0)}
