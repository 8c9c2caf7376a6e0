"""``clickstream explain`` over a live stream with real workers: put, repeated, rejected, redriven, decided."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clickstream.aws import Clients
from clickstream.consumers.explain.life import Life, Stretch
from clickstream.consumers.explain.views import Explainer
from clickstream.events import AnyEvent, Item, ProductView, Purchase, encode
from clickstream.identifiers import uuid7
from clickstream.infra.local import roles
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.producers.publisher.limits import Limits
from clickstream.settings import Settings, environment

pytestmark = [pytest.mark.integration, pytest.mark.java]

DEADLINE_S = 90.0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.1)
    return value


def _view(number: int, at_ms: int, user: str = "u1") -> ProductView:
    return ProductView(
        event_id=uuid7(at_ms, number), user_id=user, session_id="s1", occurred_at=at_ms, product_id="p1", category="shoes"
    )


def _purchase(number: int, at_ms: int, user: str = "u1") -> Purchase:
    return Purchase(
        event_id=uuid7(at_ms, number),
        user_id=user,
        session_id="s1",
        occurred_at=at_ms,
        order_id=f"order-{number}",
        items=(Item(product_id="p1", quantity=1, price=500),),
        amount=500,
        currency="EUR",
        payment_fingerprint="card",
    )


def _put(settings: Settings, events: Sequence[AnyEvent]) -> None:
    with KinesisPublisher(settings, Limits(linger=0.2)) as publisher:
        for event in events:
            publisher.put(event)


@contextmanager
def _workers(settings: Settings, log: Path, *applications: str) -> Iterator[None]:
    with log.open("wb") as out:
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "clickstream.cli", "worker", name],
                env=environment(roles.prepared(settings, name)),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
            for name in applications
        ]
        try:
            yield
        finally:
            for process in running:
                process.kill()
                process.wait()


def _explain(settings: Settings, *arguments: str) -> tuple[int, dict[str, Any]]:
    said = subprocess.run(
        [sys.executable, "-m", "clickstream.cli", "explain", "--json", *arguments],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode in (0, 1), said.stderr
    return said.returncode, json.loads(said.stdout)


def test_the_whole_life_of_purchases_views_and_rejects(provisioned: Settings, tmp_path: Path) -> None:
    clients = Clients(provisioned)
    now_ms = _now_ms()
    views = [_view(number, now_ms + number, user=f"u{number % 7}") for number in range(200)]
    bought = _purchase(1_000, now_ms + 300)
    _put(provisioned, [*views, bought])
    _put(provisioned, [bought])  # the shop's client sends it again
    wrong = msgspec.json.decode(encode(_view(2_000, now_ms, user="u9")))
    wrong["occurred_at"] = "yesterday"
    clients.kinesis.put_record(StreamName=provisioned.stream, PartitionKey="u9", Data=msgspec.json.encode(wrong))
    with _workers(provisioned, tmp_path / "workers.log", "analytics", "fraud"):
        explainer = Explainer(clients, provisioned)

        def processed(event_id: str, *applications: str) -> Life | None:
            life = explainer.life(event_id)
            states = {each.application: each.state for each in life.applications}
            return life if all(states.get(name) in ("processed", "dead-lettered") for name in applications) else None

        life = _until(lambda: processed(bought.event_id, "analytics", "fraud"), "the purchase is processed")
        rejected = _until(lambda: processed(wrong["event_id"], "analytics", "fraud"), "the wrong event is passed")
        decided = {each.application: each for each in life.applications}

    assert [put.fate for put in life.puts] == ["takes effect", "duplicate"]
    assert life.puts[0].members > 1, "it travelled in an aggregate"
    assert (life.type, life.user_id, life.made_at) == ("purchase", "u1", now_ms + 300)
    fraud = decided["fraud"]
    assert fraud.effect is not None
    assert fraud.effect.what.startswith("decided: ")
    assert fraud.effect.model_version == "rules-1"
    assert fraud.effect.at is not None
    assert fraud.latency_ms == fraud.effect.at - life.puts[0].arrived_at
    assert fraud.owner == f"{provisioned.application('fraud')}-1"
    analytics = decided["analytics"]
    assert analytics.effect is not None
    assert analytics.effect.facts["minute"] == (now_ms + 300) // 60_000 * 60_000
    assert decided["recommendations"].state == "not reading", "no worker of it ever ran"

    assert [put.fate for put in rejected.puts] == ["rejected"]
    assert {each.application: each.state for each in rejected.applications}["fraud"] == "dead-lettered"
    code, told = _explain(provisioned, wrong["event_id"])
    assert code == 0
    assert sorted(letter["application"] for letter in told["letters"]) == ["analytics", "fraud"]
    assert told["letters"][0]["path"] == "$.occurred_at"


def test_only_the_users_shard_and_the_ids_time_are_read(provisioned: Settings) -> None:
    now_ms = _now_ms()
    _put(provisioned, [_view(number, now_ms) for number in range(20)])
    clients = Clients(provisioned)
    reads: list[str] = []
    clients.kinesis.meta.events.register(
        "provide-client-params.kinesis.GetShardIterator",
        lambda params, **_: reads.append(f"{params['ShardId']} {params['ShardIteratorType']}"),
    )
    life = Explainer(clients, provisioned).life(uuid7(now_ms, 3), user_id="u1")
    assert [put.fate for put in life.puts] == ["takes effect"]
    assert reads == [f"{life.puts[0].shard} AT_TIMESTAMP"]
    assert life.shards_searched == [life.puts[0].shard]


def test_an_id_without_a_time_is_searched_for_everywhere_and_one_that_is_nowhere_is_said_to_be(provisioned: Settings) -> None:
    event = msgspec.structs.replace(_view(1, _now_ms()), event_id="order-page-17")
    _put(provisioned, [event])
    code, told = _explain(provisioned, "order-page-17", "--no-letters")
    assert (code, [put["fate"] for put in told["puts"]], told["letters"]) == (0, ["takes effect"], None)
    code, told = _explain(provisioned, uuid7(_now_ms(), 77))
    assert (code, told["puts"], told["letters"]) == (1, [], [])
    explainer = Explainer(Clients(provisioned), provisioned)
    assert explainer.life("order-page-17", within=Stretch(_now_ms() + 60_000, None)).puts == []


def test_text_for_a_person(provisioned: Settings) -> None:
    event = _view(5, _now_ms())
    _put(provisioned, [event])
    said = subprocess.run(
        [sys.executable, "-m", "clickstream.cli", "explain", event.event_id],
        env=environment(provisioned),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith(f"{event.event_id}: product_view of u1, session s1\n")
    assert "put on shardId-" in said.stdout
