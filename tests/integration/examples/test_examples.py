"""The four examples through KCL's real worker, with kill -9 and a split in the middle, against batch pandas."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from tests.integration.drills.rig.shards import Shards
from tests.integration.examples import oracle, traffic
from tests.integration.examples.shop import EXAMPLES, Shop, opened
from tests.integration.publisher.stream import open_shards, split_first

pytestmark = [pytest.mark.integration, pytest.mark.java, pytest.mark.timeout(600)]

#: Of a Distinct; docs/explanation/own-applications.md states it.
ERROR = 0.03


def test_the_four_answer_as_batch_pandas_does_with_kills_and_a_split_in_the_middle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    opens_ms = (int(time.time() * 1000) - 2 * traffic.DAY) // traffic.HOUR * traffic.HOUR
    sent = traffic.day(opens_ms, seed=18)
    last = traffic.closing(opens_ms)
    quarter = len(sent) // 4
    with opened(tmp_path) as shop:
        folded = _Folded(shop)
        shop.produce(sent[:quarter])
        folded.at_least(len(oracle.frame(sent[:quarter])) // 2)
        for application in EXAMPLES:
            os.kill(shop.shard_processes(application)[0], signal.SIGKILL)
        shop.produce(sent[quarter : 2 * quarter])
        split_first(shop.clients.kinesis, shop.settings.stream)
        shop.produce(sent[2 * quarter : 3 * quarter])
        for application in EXAMPLES:
            shop.wait_until(lambda application=application: bool(shop.shard_processes(application)), "shards again")  # type: ignore[misc]  # bound at once
            os.kill(shop.shard_processes(application)[-1], signal.SIGKILL)
        shop.produce(sent[3 * quarter :])
        shop.produce(last)
        events = oracle.frame([*sent, *last])
        folded.exactly(len(events))
        assert len(open_shards(shop.clients.kinesis, shop.settings.stream)) == 3, "the split has come through"
        assert all(_receives(shard, last) for shard in open_shards(shop.clients.kinesis, shop.settings.stream))

        _agree("wishlist", "wishes", shop, lambda: oracle.wishes(events), about={"wishers"})
        _agree("stock", "stock", shop, lambda: oracle.stock(events))
        _agree("campaigns", "live", shop, lambda: oracle.live(events), about={"sessions"})
        reminders = oracle.reminders(events)
        told = _told(shop, len(reminders))
    assert told == reminders
    assert len(told) > 100
    with capsys.disabled():
        sys.stderr.write(
            f"\n{len(sent) + len(last):,} events sent, {len(events):,} of them once; {len(reminders)} reminders; "
            f"{time.monotonic() - started:.0f} s\n"
        )


def _receives(shard: dict[str, Any], sent: list[traffic.Fields]) -> bool:
    """Whether one of the events goes to the shard: by the MD5 of its partition key, the user."""
    start, end = (int(shard["HashKeyRange"][f"{side}HashKey"]) for side in ("Starting", "Ending"))
    return any(start <= int(md5(fields["user_id"].encode()).hexdigest(), 16) <= end for fields in sent)


class _Folded:
    """How many events each application has folded, duplicates not counted."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._shards = Shards(EXAMPLES, shop.settings)

    def _counts(self) -> dict[str, int]:
        return {application: self._shards.folded(application) for application in EXAMPLES}

    def at_least(self, count: int) -> None:
        self._shop.wait_until(lambda: min(self._counts().values()) >= count, f"{count} events folded")

    def exactly(self, count: int) -> None:
        self._shop.wait_until(lambda: min(self._counts().values()) >= count, f"{count} events folded")
        assert self._counts() == dict.fromkeys(EXAMPLES, count)


def _answers(shop: Shop, application: str, table: str) -> oracle.Rows:
    """As a person reads them."""
    found = json.loads(shop.run("query", "own", application, table, "--from", "2d ago", "--limit", "10000", "--json"))
    return {(row["start"], row["key"]): row["values"] for row in found["rows"]}


def _agree(
    application: str, table: str, shop: Shop, truth: Callable[[], oracle.Rows], about: frozenset[str] | set[str] = frozenset()
) -> None:
    """Exact, but for the cells ``about`` which an error is stated."""
    expected = truth()
    answered = _answers(shop, application, table)
    assert answered.keys() == expected.keys()
    wrong = {row: (answered[row], cells) for row, cells in expected.items() if not _right(answered[row], cells, about)}
    assert wrong == {}


def _right(answered: dict[str, Any], expected: dict[str, Any], about: frozenset[str] | set[str]) -> bool:
    exact = {name: value for name, value in expected.items() if name not in about}
    return {name: answered[name] for name in exact} == exact and all(
        abs(answered[name] - expected[name]) <= ERROR * expected[name] for name in about
    )


def _told(shop: Shop, count: int) -> dict[str, list[str]]:
    """The reminders in the queue, by identity; none may come twice."""
    sqs = shop.clients.sqs
    url = sqs.get_queue_url(QueueName=f"{shop.settings.name}-reminders-reminders.fifo")["QueueUrl"]
    told: list[tuple[str, dict[str, Any]]] = []

    def receive() -> bool:
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["id"]).get("Messages"):
            for message in found:
                told.append((message["MessageAttributes"]["id"]["StringValue"], json.loads(message["Body"])))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(told) >= count

    shop.wait_until(receive, f"{count} reminders")
    assert len(dict(told)) == len(told), "a reminder came twice"
    return {id: body["products"] for id, body in told}
