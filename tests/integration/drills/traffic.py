"""Records that the drills themselves put beside the load: no events, torn aggregates, and ids that two users share."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from clickstream.events import AnyEvent, Item, ProductView, Purchase, encode
from tests.integration.drills.harm import Injected
from tests.integration.drills.rig.shards import now_ms
from tests.integration.drills.rig.site import Site
from tests.integration.workers.test_malformed_aggregates import KINDS, sealed


def poison(site: Site, random: Random) -> Injected:
    since = now_ms()
    count = put_poison(site, random)
    return Injected(what=f"{count} records", since_ms=since)


def put_poison(site: Site, random: Random) -> int:
    """Records that are no events, under keys that reach every shard; each is told from all others."""
    plain = [b'{"type":"poison","n":"%x"}' % random.getrandbits(64) for _ in range(random.randint(10, 60))]
    return _put_bad(site, random, plain)


def malformed_aggregates(site: Site, random: Random) -> Injected:
    """What no KPL would write: each is one record that is no event, and stops nothing."""
    since = now_ms()
    count = _put_bad(site, random, [sealed(message) for message in KINDS.values()] * 2)
    return Injected(what=f"{count} records", since_ms=since)


def _put_bad(site: Site, random: Random, contents: Sequence[bytes]) -> int:
    burst = [(f"poison-{random.getrandbits(64):x}", data) for data in contents]
    _put(site, burst)
    site.poison += burst
    return len(burst)


def shared_ids(site: Site, random: Random) -> Injected:
    """One event id of two users, and the whole again: two events, two purchases, two orders."""
    since = now_ms()
    events: list[AnyEvent] = []
    for _ in range(random.randint(3, 10)):
        shared = f"drill-{random.getrandbits(64):x}"
        users = [f"drill-{random.getrandbits(64):x}" for _ in range(2)]
        bought = random.random() < 0.5
        events += [purchase(shared, user, f"{user}-order") if bought else view(shared, user) for user in users]
    put_events(site, events)
    put_events(site, random.sample(events, len(events)))
    return Injected(what=f"{len(events) // 2} ids, each of two users, all twice", since_ms=since)


def put_events(site: Site, events: Sequence[AnyEvent]) -> None:
    """Put them past the proxies; each new one counts in the account."""
    _put(site, [(event.user_id, encode(event)) for event in events])
    site.extra += [event for event in events if event not in site.extra]


def view(event_id: str, user_id: str) -> ProductView:
    return ProductView(
        event_id=event_id,
        user_id=user_id,
        session_id=user_id,
        occurred_at=now_ms(),
        product_id="drill",
        category="drill",
    )


def purchase(event_id: str, user_id: str, order_id: str) -> Purchase:
    item = Item(product_id="drill", category="drill", quantity=1, price=100)
    return Purchase(
        event_id=event_id,
        user_id=user_id,
        session_id=user_id,
        occurred_at=now_ms(),
        order_id=order_id,
        items=(item,),
        amount=100,
        currency="EUR",
    )


def _put(site: Site, records: Sequence[tuple[str, bytes]]) -> None:
    answer = site.clients.kinesis.put_records(
        StreamName=site.settings.stream, Records=[{"PartitionKey": key, "Data": data} for key, data in records]
    )
    assert answer["FailedRecordCount"] == 0, answer
    site.records_put += len(records)
