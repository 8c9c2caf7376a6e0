"""Events for the benchmarks: seeded, shaped like a shop's, about 300 bytes of JSON each; and as the daemon writes them."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator, Sequence
from hashlib import blake2b

import msgspec

from clickstream import events
from clickstream.consumers.runtime.loop.wire import Message, ProcessRecords
from clickstream.events import AddToCart, AnyEvent, Context, Item, Login, PageView, ProductView, Purchase, Search
from clickstream.load.traffic.arrivals import arrivals
from clickstream.load.traffic.shop.visitors import Visitors, shop_for
from clickstream.records import blocks

_START_MS = 1_764_000_000_000
#: Events in a record of the publisher's under load.
PER_RECORD = 200
_WORDS = ("shoe", "red", "running", "summer", "dress", "phone", "case", "coffee", "grinder", "lamp")


def sample_events(
    count: int,
    *,
    users: int = 5_000,
    products: int = 5_000,
    before_the_minute_ms: int = 0,
    late_ms: float = 0.0,
    seed: int = 7,
) -> list[AnyEvent]:
    """``count`` events of a mixed day: mostly product views, a few purchases, two per millisecond.

    They begin this long before a full minute, and come late by ``late_ms`` in the mean (exponentially), so out of order.
    """
    rng = random.Random(seed)
    sample: list[AnyEvent] = []
    for n in range(count):
        user = min(int(rng.paretovariate(0.8)), users) + rng.randrange(users)
        # as random as the collector's hashes are, or they would compress to nothing
        hashed = blake2b(str(user).encode(), digest_size=16).hexdigest()
        product = f"p{min(int(rng.paretovariate(0.6)), products)}"
        envelope = {
            "event_id": f"0193{rng.getrandbits(32):08x}-7{rng.getrandbits(12):03x}-7000-8000-{n:012x}",
            "user_id": f"user-{user}",
            "session_id": f"session-{user}-1",
            "occurred_at": _START_MS - before_the_minute_ms + n // 2 - round(rng.expovariate(1 / late_ms) if late_ms else 0),
            "context": Context(ip=hashed[:16], device=hashed[16:], country="DE"),
        }
        category = f"category-{hash_of(product) % 40}"
        draw = rng.random()
        event: AnyEvent
        if draw < 0.62:
            event = ProductView(**envelope, product_id=product, category=category)  # type: ignore[arg-type]  # one dict for all
        elif draw < 0.75:
            event = PageView(**envelope, url="/sale")  # type: ignore[arg-type]  # one dict for all
        elif draw < 0.85:
            event = Search(**envelope, query=" ".join(rng.sample(_WORDS, 2)))  # type: ignore[arg-type]  # one dict for all
        elif draw < 0.94:
            event = AddToCart(**envelope, product_id=product, category=category)  # type: ignore[arg-type]  # one dict for all
        elif draw < 0.97:
            items = (Item(product_id=product, category=category, price=rng.randrange(500, 20_000)),)
            event = Purchase(
                **envelope,  # type: ignore[arg-type]  # one dict for all
                order_id=f"order-{n}",
                items=items,
                amount=items[0].price,
                currency="EUR",
                payment_fingerprint=hashed,
            )
        else:
            event = Login(**envelope)  # type: ignore[arg-type]  # one dict for all
        sample.append(event)
    return sample


def hash_of(product: str) -> int:
    """The same on every run, unlike ``hash()``."""
    return sum(product.encode())


def shop_events(count: int, *, rate: float = 5_000.0, seed: int = 11) -> list[AnyEvent]:
    """``count`` events of ``clickstream load run``'s visitors at a rate (events per second): sessions with ids of their own."""
    visitors, times = Visitors(seed, shop_for(rate)), arrivals(seed, rate)
    return [visitors.next_event(_START_MS + next(times) // 1_000) for _ in range(count)]


def daemon_lines(sample: Sequence[AnyEvent], *, per_batch: int, per_record: int = 1) -> list[bytes]:
    """The events as the MultiLangDaemon would write them: one ``processRecords`` line per batch of so many events."""
    lines = []
    for start in range(0, len(sample), per_batch):
        records = [
            {
                "action": "record",
                "data": base64.b64encode(record_of(sample[first : min(first + per_record, start + per_batch)])).decode(),
                "partitionKey": sample[first].user_id,
                "sequenceNumber": f"4959{first:052d}",
                "subSequenceNumber": 0,
                "approximateArrivalTimestamp": sample[first].occurred_at + 1_000,
            }
            for first in range(start, min(start + per_batch, len(sample)), per_record)
        ]
        lines.append(json.dumps({"action": "processRecords", "records": records, "millisBehindLatest": 0}).encode())
    return lines


def record_of(sample: Sequence[AnyEvent]) -> bytes:
    """The data of a record of these events, as the publisher writes it by default."""
    lines = [events.encode(event) for event in sample]
    # a single event travels as a plain line
    return lines[0] if len(lines) == 1 else blocks.pack(lines, "zstd")


def batches(lines: Sequence[bytes]) -> Iterator[ProcessRecords]:
    """The daemon's lines, decoded one at a time as a shard's process decodes them."""
    decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
    for line in lines:
        batch = decoder.decode(line)
        assert isinstance(batch, ProcessRecords)
        yield batch
