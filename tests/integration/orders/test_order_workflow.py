"""Overselling, and a failure in every call of every step: exact inventory, one notification, nothing lost."""

from __future__ import annotations

import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from clickstream.consumers.orders import functions
from clickstream.consumers.orders.messages import Step
from clickstream.settings import Settings, environment
from tests.integration.orders.order_workflow import HANDLERS, Bench, Context, as_message, sqs_event
from tests.unit.orders.shop import order

pytestmark = pytest.mark.integration


@pytest.fixture
def bench(provisioned: Settings, monkeypatch: pytest.MonkeyPatch) -> Bench:
    for name, value in environment(provisioned).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    return Bench(provisioned)


def test_a_thousand_orders_for_a_hundred_items_reserve_exactly_a_hundred(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """1,000 orders in batches of ten, on 24 threads; every batch is delivered twice, as SQS may."""
    bench.inventory.add({"the-last": 100})
    orders = [order(n, ("the-last", 1)) for n in range(1000)]
    bench.place(*orders)
    batches = [sqs_event([as_message(each) for each in orders[n : n + 10]]) for n in range(0, 1000, 10)]
    started = time.monotonic()
    with ThreadPoolExecutor(24) as threads:
        answers = list(
            threads.map(
                lambda batch: functions.reserve(batch, Context("order-reserve")), [batch for batch in batches for _ in range(2)]
            )
        )
    seconds = time.monotonic() - started
    failed = sum(len(answer["batchItemFailures"]) for answer in answers)
    # a message that came while its double was at work is refused, and comes again
    for batch in batches:
        answer = functions.reserve(batch, Context("order-reserve"))
        assert answer["batchItemFailures"] == []
    steps = Counter(bench.stands(each).step for each in orders)
    with capsys.disabled():
        sys.stderr.write(
            f"\n1,000 orders for 100 items, each delivered twice: {dict(steps)} in {seconds:.1f} s, {failed} refused\n"
        )
    assert steps == {Step.RESERVED: 100, Step.REJECTED: 900}
    assert bench.inventory.available() == {"the-last": 0}


def scenario(bench: Bench, name: str) -> None:
    """Two orders for one product, one of them fraud, whose goods come back; both placed twice."""
    bench.inventory.add({name: 3})
    good, fraud = order(f"{name}-good", (name, 1)), order(f"{name}-fraud", (name, 2))
    bench.decide(good, "approve")
    bench.decide(fraud, "block")
    bench.place(good, fraud)
    bench.drain([good, fraud])
    bench.retell(good, fraud)
    bench.drain([good, fraud])
    assert bench.inventory.available()[name] == 2
    assert sorted(bench.notifications()) == [(fraud.order_id, "cancelled"), (good.order_id, "confirmed")]
    assert bench.dead_letters() == 0


@pytest.mark.parametrize("step", HANDLERS)
def test_each_call_of_a_step_fails_once(bench: Bench, step: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before it took effect, and after it did but nobody heard."""
    scenario(bench, "well")
    # a topic's ARN is asked for once and kept, so its call cannot fail again
    calls = sorted(call for queue, call in bench.calls.made if queue == step and call != "CreateTopic")
    assert {"GetItem", "PutItem", "UpdateItem", "Publish"} <= set(calls)
    for call in calls:
        for when in ("before", "after"):
            bench.calls.fail_once(step, call, when)
            scenario(bench, f"{call}-{when}")
            assert bench.calls.has_failed
    with capsys.disabled():
        sys.stderr.write(f"\n{step}: {2 * len(calls)} failures ({', '.join(calls)}): exact inventory, one notification each\n")
