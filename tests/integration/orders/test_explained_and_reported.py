"""What ``explain`` says of an order and ``report`` of the archive, with the workers that make them running."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clickstream.aws import Clients
from clickstream.consumers.explain.views import Explainer
from clickstream.consumers.orders.needs import INVENTORY, NEEDS
from clickstream.consumers.orders.table import Inventory
from clickstream.events import AnyEvent, Item, PageView, Purchase
from clickstream.identifiers import uuid7
from clickstream.infra.local import functions, resources, roles
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.settings import Settings, environment
from tests.integration.drills.rig.workers import Worker

pytestmark = [
    pytest.mark.integration,
    pytest.mark.java,
    pytest.mark.skipif(sys.platform != "linux", reason="finds a worker's processes through /proc"),
]

_MINUTE_MS = 60_000
_DEADLINE_S = 60.0
_APPLICATIONS = ("analytics", "fraud", "archive", "orders")


@pytest.fixture
def shop(settings: Settings, tmp_path: Path) -> Settings:
    shop = msgspec.structs.replace(settings, local_dir=tmp_path)
    clients = Clients(shop)
    resources.create(clients, shop, shards=2)
    functions.deploy(clients, shop, NEEDS)
    return shop


@pytest.fixture
def workers(shop: Settings, tmp_path: Path) -> Iterator[list[Worker]]:
    workers = [Worker(name, "1", environment(roles.prepared(shop, name)), tmp_path / f"{name}.log") for name in _APPLICATIONS]
    try:
        for worker in workers:
            worker.start()
        yield workers
    finally:
        for worker in workers:
            worker.kill()


def _clickstream(shop: Settings, *arguments: str) -> str:
    command = [sys.executable, "-m", "clickstream.cli", *arguments]
    said = subprocess.run(command, env=environment(shop), capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    return said.stdout


def _until(condition: Callable[[], Any], what: str, deadline: float) -> Any:
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.2)
    return value


def _purchase(number: int, at_ms: int, product: str, order: str) -> Purchase:
    return Purchase(
        event_id=uuid7(at_ms, number),
        user_id="u1",
        session_id="s1",
        occurred_at=at_ms,
        order_id=order,
        items=(Item(product_id=product, quantity=2, price=1_250),),
        amount=2_500,
        currency="EUR",
        payment_fingerprint="card",
    )


def _archive_section(page: str) -> dict[str, tuple[int, int]]:
    """Type → (archived, counted)."""
    section = page.partition("Archive beside analytics")[2].partition("<h2>")[0]
    rows = re.findall(r"<tr><td>([^<]+)<td>([0-9,]+)<td>([0-9,]+)", section)
    return {kind: (int(archived.replace(",", "")), int(counted.replace(",", ""))) for kind, archived, counted in rows}


def test_an_order_and_the_archive_are_told_of_as_they_are(shop: Settings, workers: list[Worker], tmp_path: Path) -> None:
    clients = Clients(shop)
    now_ms = time.time_ns() // 1_000_000
    # a stretch that begins and ends within a window: the first window of the report is the next whole minute
    start_ms = now_ms - now_ms % _MINUTE_MS - 10 * _MINUTE_MS + 30_000
    end_ms = start_ms + 5 * _MINUTE_MS
    views: list[AnyEvent] = [
        PageView(event_id=uuid7(at_ms, number), user_id=f"u{number % 9}", session_id=f"s{number % 9}", occurred_at=at_ms)
        for number, at_ms in enumerate(range(start_ms, end_ms + _MINUTE_MS, 1_000))
    ]
    bought = _purchase(1_000, now_ms, "in-stock", "order-1")
    missed = _purchase(1_001, now_ms + 1, "sold-out", "order-2")
    again = _purchase(1_002, now_ms + 2, "in-stock", "order-1")
    Inventory(clients.dynamodb, INVENTORY.of(shop)).add({"in-stock": 5})
    with KinesisPublisher(shop) as publisher:
        for event in [*views, bought, missed]:
            publisher.put(event)
        publisher.flush()
        publisher.put(again)

    deadline = time.monotonic() + _DEADLINE_S

    def order(event: Purchase) -> Any:
        return json.loads(_clickstream(shop, "explain", event.event_id, "--no-letters", "--json"))["order"]

    def ended(event: Purchase) -> Any:
        told = order(event)
        return told if told is not None and told["notified"] else None

    assert _until(lambda: ended(bought), "the order is confirmed", deadline) == {
        "order_id": "order-1",
        "event_id": bought.event_id,
        "amount": 2_500,
        "currency": "EUR",
        "lines": [{"product_id": "in-stock", "quantity": 2}],
        "step": "confirmed",
        "reason": "",
        "told": "sent",
        "notified": "confirmed",
    }
    _until(lambda: ended(missed), "the order is rejected", deadline)
    assert _order_line(shop, bought) == ("order-1: confirmed; 2 × in-stock, 25.00 EUR; the customer knows that it is confirmed")
    assert _order_line(shop, missed).startswith("order-2: rejected, sold out: sold-out; 2 × sold-out, ")
    assert f"placed by the event {bought.event_id} before" in _order_line(shop, again)
    assert order(bought)["step"] == "confirmed"
    found = [Explainer(clients, shop).placing(order_id) for order_id in ("order-1", "order-0")]
    assert found == [(bought.event_id, bought.user_id), None]

    page = tmp_path / "report.html"

    def told() -> dict[str, tuple[int, int]]:
        span = ("--from", str(start_ms), "--to", str(end_ms), "--granularity", "minute")
        _clickstream(shop, "report", *span, "--out", str(page))
        return _archive_section(page.read_text())

    first_ms, last_ms = (-(-moment // _MINUTE_MS) * _MINUTE_MS for moment in (start_ms, end_ms))
    within = Counter("page_view" for event in views if first_ms <= event.occurred_at < last_ms)
    assert 0 < within["page_view"] < len(views)
    expected = {"Page views": (within["page_view"], within["page_view"])}
    _until(lambda: told() == expected, f"the archive is told of as {expected}", deadline)


def _order_line(shop: Settings, event: Purchase) -> str:
    lines = _clickstream(shop, "explain", event.event_id, "--no-letters").splitlines()
    return next(line.split(None, 1)[1] for line in lines if line.split(None, 1)[0] == "order")
