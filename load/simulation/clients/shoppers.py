"""Clients: users that send events in order, retry, and send some again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, Protocol

from clickstream import events
from clickstream.events import AddToCart, AnyEvent, Item, ProductView, Purchase
from clickstream.load.simulation.applications.history import BREAKS_THE_SINK, UNWRITABLE
from clickstream.load.simulation.aws.stream import Stream
from clickstream.load.simulation.chance import Chance
from clickstream.load.simulation.clients.generating import Generator, tag
from clickstream.load.simulation.clients.publishing import PublisherMachine, Ticket
from clickstream.load.simulation.fleet.scheduler import Process, Scheduler
from clickstream.load.simulation.ledger import Ledger, Sent
from clickstream.load.simulation.plan import Plan

SENDING_MS = 20_000


class Shop(Protocol):
    """What the clients need of the world."""

    scheduler: Scheduler
    chance: Chance
    plan: Plan
    ledger: Ledger
    stream: Stream
    generator: Generator

    @property
    def publishers(self) -> Sequence[PublisherMachine]: ...


class Shoppers:
    """All of them are one process that nothing kills."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.process = Process(shop.scheduler, "shoppers")
        plan = shop.plan
        share = Random(f"shoppers {plan.seed}")
        self._left = plan.users
        for user in range(plan.users):
            random = Random(f"user {user} {plan.seed}")
            count = plan.events // plan.users
            name = f"user-{random.randrange(10_000)}-{user}"
            shopper = Shopper(shop, name, user, count, random)
            run = shopper.pipelined if share.random() < plan.pipelined else shopper.one_by_one
            self.process.spawn(partial(self._count, run), name)

    @property
    def done(self) -> bool:
        return self._left == 0

    def _count(self, run: Callable[[], None]) -> None:
        run()
        self._left -= 1


class Shopper:
    def __init__(self, shop: Shop, name: str, number: int, count: int, random: Random) -> None:
        self._shop = shop
        self._name = name
        self._count = count
        self._random = random
        self._home = number % len(shop.publishers)
        self._think_ms = 2 * SENDING_MS // max(1, count)

    def pipelined(self) -> None:
        """Sends through one publisher without waiting: it keeps the order. What fails is not sent again."""
        burst = self._shop.plan.burst
        for number in range(self._count):
            if number % burst == 0:
                self._shop.scheduler.sleep(self._random.randrange(burst * self._think_ms))
            sent = self.make(number)
            ticket = Ticket(partial(self._settled, sent))
            while not self._shop.publishers[self._home].put(self._name, sent.data, ticket):
                self._shop.scheduler.sleep(200)
            self._maybe_again()

    def one_by_one(self) -> None:
        """Sends an event until it is acknowledged, through any publisher, and only then the next."""
        scheduler = self._shop.scheduler
        for number in range(self._count):
            scheduler.sleep(self._random.randrange(self._think_ms))
            sent = self.make(number)
            while not sent.acknowledged:
                task = scheduler.current
                assert task is not None
                done: list[bool] = []

                def settled(got_it: bool, sent: Sent = sent, done: list[bool] = done) -> None:
                    self._settled(sent, got_it)
                    done.append(got_it)
                    scheduler.wake(task)  # noqa: B023  # one task sends all of a user's events

                machine = self._random.choice(self._shop.publishers)
                if not machine.put(self._name, sent.data, Ticket(settled)):
                    scheduler.sleep(200)
                    continue
                patience = scheduler.now + self._random.randint(500, 10_000)
                while not done and not sent.acknowledged and scheduler.now < patience:
                    scheduler.park(patience - scheduler.now)
                if not sent.acknowledged:
                    scheduler.sleep(100)
            self._maybe_again()

    def _settled(self, sent: Sent, got_it: bool) -> None:
        sent.acknowledged = sent.acknowledged or got_it

    def _maybe_again(self) -> None:
        """A retry of something that is acknowledged: its answer was lost between the shop and the client."""
        shop = self._shop
        if not shop.plan.client_retries:
            return
        mine = [sent for sent in list(shop.ledger.events.values())[-50:] if sent.user_id == self._name and sent.acknowledged]
        if mine and shop.chance.strikes("client retry", shop.plan.client_retries):
            again = self._random.choice(mine[-4:])
            self._random.choice(shop.publishers).put(self._name, again.data, None)

    def make(self, number: int) -> Sent:
        event = self._any(number) if self._shop.plan.application == "own" else self._event(number)
        items = event.items if isinstance(event, Purchase) else ()
        product = str(items[0].product_id if items else getattr(event, "product_id", ""))
        sent = Sent(
            event_id=event.event_id,
            user_id=event.user_id,
            number=number,
            kind=tag(type(event)),
            minute=event.occurred_at // 60_000,
            product=product,
            amount=event.amount if isinstance(event, Purchase) else 0,
            data=events.encode(event),
            refused=isinstance(event, Purchase) and (UNWRITABLE in event.event_id or product == BREAKS_THE_SINK),
        )
        self._shop.ledger.sent(sent)
        return sent

    def _any(self, number: int) -> AnyEvent:
        """For a foreign application: of any type there is, its own ones too."""
        return self._shop.generator.event(self._random, **self._envelope(number))

    def _envelope(self, number: int) -> dict[str, Any]:
        return {
            "event_id": self._event_id(number),
            "user_id": self._name,
            "session_id": "s",
            "occurred_at": self._shop.scheduler.now - self._random.randrange(self._shop.plan.scatter_ms),
        }

    def _event(self, number: int) -> AnyEvent:
        random, plan, chance = self._random, self._shop.plan, self._shop.chance
        product = f"p{random.randrange(5)}"
        what = self._envelope(number)
        kind = random.randrange(4)
        if kind == 0:
            amount = random.randrange(1, 1_000)
            if plan.application == "history" and chance.strikes("unwritable", plan.unwritable):
                what["event_id"] += UNWRITABLE
            if plan.application == "history" and random.random() < 0.02 * plan.breakers:
                product = BREAKS_THE_SINK
            item = Item(product_id=product, price=amount)
            return Purchase(**what, order_id=f"o{number}", items=(item,), amount=amount, currency="EUR")
        if kind == 1:
            return AddToCart(**what, product_id=product)
        return ProductView(**what, product_id=product)

    def _event_id(self, number: int) -> str:
        """A fresh one; or, by chance or malice, one that another user has used."""
        shop = self._shop
        if not shop.plan.reused_ids:
            return f"{self._name}/{number}"
        others = [sent.event_id for sent in shop.ledger.events.values() if sent.user_id != self._name]
        if others and shop.chance.strikes("reused id", shop.plan.reused_ids):
            event_id = self._random.choice(others)
            mine = {f"{event_id}{end} of {self._name}" for end in ("", UNWRITABLE)}  # the end may come on later
            if mine.isdisjoint(shop.ledger.events):
                return event_id
        return f"{self._name}/{number}"
