"""What the platform writes is read back by plain AWS calls, from its own sinks' rows; a queue's letters stay in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.consumers.archive.fold import Part
from clickstream.consumers.archive.needs import ARCHIVE
from clickstream.consumers.archive.sink import ArchiveBucket
from clickstream.consumers.fraud.decisions import Decision, Source
from clickstream.consumers.fraud.items import item_of
from clickstream.consumers.fraud.needs import DECISIONS
from clickstream.consumers.fraud.views import Verdict
from clickstream.consumers.orders.needs import ORDERS
from clickstream.consumers.recommendations import table_items
from clickstream.consumers.recommendations.needs import OFFERS
from clickstream.errors import Missing
from clickstream.infra.local import resources
from clickstream.load.verdict import stores
from clickstream.load.verdict.comparers.decisions import Decided
from clickstream.load.verdict.comparers.offers import Offered
from clickstream.load.verdict.comparers.placed import Placed
from clickstream.models.recommender.model import Recommended
from clickstream.platform import DEAD_LETTERS, STATE
from clickstream.records.position import START
from clickstream.settings import Settings


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        yield Clients(Settings())


@pytest.fixture
def provisioned(clients: Clients) -> Clients:
    resources.create(clients, Settings(), shards=1)
    return clients


def test_a_decision_as_the_sink_writes_it(provisioned: Clients) -> None:
    decision = Decision(
        event_id="e", order_id="o", user_id="u", occurred_at=5, decided_at=9, amount=700, currency="EUR", verdict=Verdict.BLOCK,
        score=0.75, reasons=[], source=Source.RULES, model_version="rules-1", vector=(1.0, float("nan")),
    )  # fmt: skip
    provisioned.dynamodb.put_item(TableName=DECISIONS.of(Settings()), Item=item_of(decision))

    assert stores.decisions(provisioned, Settings()) == [
        Decided(
            event_id="e", order_id="o", user_id="u", amount=700, currency="EUR", occurred_at=5, decided_at=9, verdict="block",
            score=0.75, alert="pending",
        )
    ]  # fmt: skip


def test_an_offer_as_the_sink_writes_it_and_not_what_strangers_see(provisioned: Clients) -> None:
    items = [Recommended("p1", 0.5, "p7"), Recommended("p2", 0.1, None)]
    for subject, part in ((table_items.subject("u"), table_items.OFFER), (table_items.POPULAR, "shard-0")):
        provisioned.dynamodb.put_item(
            TableName=OFFERS.of(Settings()),
            Item={
                "subject": {"S": subject}, "part": {"S": part}, "items": {"B": table_items.encode(items)}, "version": {"S": ""},
                "made_at": {"N": "12"},
            },
        )  # fmt: skip

    assert stores.offers(provisioned, Settings()) == [Offered(user_id="u", items=["p1", "p2"], because=["p7"], made_at=12)]


def test_letters_are_read_with_their_bytes_wherever_they_are_and_stay_in_the_queue(provisioned: Clients) -> None:
    settings = Settings()
    url = provisioned.sqs.get_queue_url(QueueName=DEAD_LETTERS.of(settings))["QueueUrl"]
    provisioned.s3.put_object(Bucket=STATE.of(settings), Key="dead-letters/x", Body=b"huge")
    for n in range(12):
        in_s3 = n == 3
        body = {
            "application": "fraud", "shard": "s", "position": str(n), "arrived_ms": n, "partition_key": f"u{n}",
            "reason": "not JSON", "data": "" if in_s3 else base64.b64encode(b"bad %d" % n).decode(),
            "data_s3_key": "dead-letters/x" if in_s3 else None,
        }  # fmt: skip
        provisioned.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))

    for _ in range(2):  # the second reader finds them all again
        found = {letter.partition_key: letter.data for letter in stores.letters(provisioned, settings)}
        assert found == {f"u{n}": b"huge" if n == 3 else b"bad %d" % n for n in range(12)}


def test_what_is_not_there_is_named(clients: Clients) -> None:
    with pytest.raises(Missing, match="no table clickstream-decisions"):
        stores.decisions(clients, Settings())
    with pytest.raises(Missing, match="no queue clickstream-dead-letters"):
        stores.letters(clients, Settings())


def test_orders_as_the_table_has_them_and_not_those_that_were_refused(provisioned: Clients) -> None:
    order = {"order_id": "o", "event_id": "e", "user_id": "u", "occurred_at": 5, "amount": 700, "currency": "EUR", "lines": []}
    for key, step in (("o", "placed"), ("o#of another", "refused")):
        item = {"order_id": key, "order": json.dumps(order), "step": step, "told": "sent"}
        provisioned.dynamodb.put_item(
            TableName=ORDERS.of(Settings()), Item={name: {"S": value} for name, value in item.items()}
        )

    assert stores.orders(provisioned, Settings()) == [
        Placed(order_id="o", event_id="e", user_id="u", amount=700, currency="EUR", occurred_at=5, told="sent")
    ]


def test_the_archives_rows_as_its_sink_writes_them(provisioned: Clients) -> None:
    lines = tuple(b'{"ordinal":%d,"event_id":"e%d","user_id":"u"}' % (n, n) for n in range(3))
    sink = ArchiveBucket(provisioned.s3, ARCHIVE.of(Settings()), "shardId-000000000000")
    sink.write([Part(490_000, 0, lines, complete=True)], START)

    assert list(stores.archive(provisioned, Settings())) == [("e0", "u"), ("e1", "u"), ("e2", "u")]
