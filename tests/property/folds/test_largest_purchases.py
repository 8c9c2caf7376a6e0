"""The largest purchases that the door takes, as spiteful as can be: every effect of theirs fits the store that it is for."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.aws.topics import body, subject
from clickstream.consumers.archive.fold import ArchiveFold
from clickstream.consumers.archive.names import Name
from clickstream.consumers.fraud.decisions import alert_text, as_reuse, decide
from clickstream.consumers.fraud.fold import Candidate, FraudFold
from clickstream.consumers.fraud.items import item_of
from clickstream.consumers.fraud.outcomes import items_of
from clickstream.consumers.orders import table
from clickstream.consumers.orders.fold import OrdersFold
from clickstream.consumers.orders.messages import Message, Order, Step
from clickstream.consumers.orders.messages import encode as message_of
from clickstream.consumers.recommendations import table_items
from clickstream.consumers.recommendations.fold import RecommendationsFold, Visit
from clickstream.consumers.recommendations.offers import LENGTH, Offers
from clickstream.events import Context, Item, Purchase, encode
from clickstream.models.features.crossing import Part

#: As the door has them: an event's JSON, and a key's characters and bytes.
EVENT, CHARACTERS, KEY = 100_000, 256, 512
#: AWS's documented limits, in bytes: DynamoDB's item, partition key and sort key, a message of SNS and SQS, an asynchronous
#: input of Step Functions, a payload of Lambda, a key of S3.
ITEM, PARTITION, SORT, MESSAGE, INPUT, PAYLOAD, OBJECT = 400 * 1024, 2048, 1024, 262_144, 262_144, 6 * 2**20, 1024

#: Quotes and backslashes double in JSON, and again in JSON within JSON.
alphabet = st.sampled_from(['"', "\\", "é", "\U0001f600", "\uffff", "#", "a", "/"])
ids = st.tuples(alphabet, alphabet).map(lambda pair: filled(pair[0] + pair[1]))
names = st.tuples(st.sampled_from(["\n", "\x01", "\U0001f600", '"']), alphabet).map(lambda pair: (pair[0] + pair[1]) * 128)


def filled(text: str) -> str:
    while len(text) < CHARACTERS and len((text + text[:1]).encode()) <= KEY:
        text += text[len(text) // 2]
    return text


@st.composite
def largest(draw: st.DrawFn) -> Purchase:
    product, category, name = draw(ids), draw(st.one_of(st.just(""), names)), draw(names)
    context = Context(ip=name, device=name, country="DE", referrer="")
    purchase = Purchase(
        event_id=draw(ids), user_id=draw(ids), session_id=draw(ids), order_id=draw(ids), occurred_at=1_790_000_000_000,
        context=context, items=(), amount=10**12, currency="EUR", payment_fingerprint=name,
    )  # fmt: skip
    items: list[Item] = []
    size = len(encode(purchase))
    while len(items) < 500:
        item = Item(product_id=f"{len(items):03d}{product[3:]}", category=category, quantity=10_000, price=10**12)
        size += len(msgspec.json.encode(item)) + 1
        if size > EVENT:
            break
        items.append(item)
    return msgspec.structs.replace(purchase, items=tuple(items))


def bytes_of(value: Any) -> int:
    """Of an item, or of a part of it, as DynamoDB counts: names and values in UTF-8, and somewhat more for the rest."""
    if isinstance(value, dict):
        return sum(len(str(key).encode()) + bytes_of(part) + 3 for key, part in value.items())
    if isinstance(value, list | tuple | set):
        return sum(bytes_of(part) + 3 for part in value)
    return len(value) if isinstance(value, bytes) else len(str(value).encode())


@settings(max_examples=40, deadline=None)
@given(largest())
def test_orders(purchase: Purchase) -> None:
    fold = OrdersFold()
    fold.apply([purchase])
    (order,) = fold.effects(flush=True)
    assert isinstance(order, Order)
    assert bytes_of(table._item(order, f"{order.order_id}\x1f{order.purchase}", Step.REFUSED, 0, reason="x" * 100)) < ITEM
    # the longest reason names ten products
    reason = f"sold out: {', '.join(line.product_id for line in order.lines[:10])} and 489 more"
    message = message_of(Message(step=Step.REJECTED, order=order, reason=reason))
    told = body(message)
    assert len(told.encode()) < MESSAGE - 1_000
    assert len(message) < INPUT
    # ten of them in one event of Lambda, each body JSON in JSON
    assert 10 * (len(json.dumps({"body": told})) + 2_000) < PAYLOAD
    assert len(order.lines[0].product_id.encode()) < PARTITION


@settings(max_examples=40, deadline=None)
@given(largest())
def test_fraud(purchase: Purchase) -> None:
    fold = FraudFold()
    fold.apply([purchase])
    effects = fold.effects(flush=True)
    (decision,) = decide([each for each in effects if isinstance(each, Candidate)], None, 1_790_000_000_000)
    decision = as_reuse(decision)
    assert bytes_of(item_of(decision)) < ITEM
    assert len(decision.key.encode()) < PARTITION
    for item in items_of(decision):
        assert bytes_of(item) < ITEM
        assert len(item["part"]["S"].encode()) < SORT
    assert len(body(alert_text(decision)).encode()) + 2 * KEY < MESSAGE
    assert len(subject(f"block: order {decision.order_id}")) < 100
    for part in effects:
        if isinstance(part, Part):
            assert len(part.seen.encode()) < PARTITION
            assert len(part.content) <= 64 * 32


@settings(max_examples=20, deadline=None)
@given(largest())
def test_recommendations_and_the_archive(purchase: Purchase) -> None:
    fold = RecommendationsFold()
    fold.apply([purchase])
    visits = [effect for effect in fold.effects(flush=True) if isinstance(effect, Visit)]
    for offer in Offers().answer(visits, 0):
        assert len(offer.items) <= LENGTH
        assert len(table_items.encode(offer.items)) < ITEM // 2
    assert len(table_items.subject(purchase.user_id).encode()) < PARTITION
    archive = ArchiveFold()
    archive.apply([purchase])
    (part,) = archive.effects(flush=True)
    assert len(Name(part.hour, "shardId-000000000000", part.chunk, part.chunk).key.encode()) < OBJECT
