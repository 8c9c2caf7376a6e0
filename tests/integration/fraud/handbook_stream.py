"""The handbook's transactions as purchases on a stream, and an application of ours that computes its features there.

A shard knows its own keys' history alone, and the handbook has features by customer and by terminal. So each transaction is
two events, as a stream job would re-key it: one with the customer as its user, one with the terminal.

The runtime finds the application as ``tests.integration.fraud.handbook_stream@FOLDER``; its sink adds files to that folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from clickstream.application import Application, Fold, Inheritance, Sink
from clickstream.aws import Clients
from clickstream.events import AnyEvent, Item, Purchase
from clickstream.models.features.engine import Engine, State
from clickstream.models.fraud.offline.handbook import CUSTOMER, HANDBOOK, TRANSACTION
from clickstream.records.position import Position
from clickstream.settings import Settings
from tests.handbook_files import Transaction

NAME = "handbook"
_BY_CUSTOMER, _BY_TERMINAL = "customer", "terminal"


def events_of(transaction: Transaction, *, customer: bool = True, terminal: bool = True) -> Iterator[AnyEvent]:
    """The amount is in cents; the label stands where a card's fingerprint does."""
    for wanted, key, key_id in (
        (customer, _BY_CUSTOMER, transaction.customer),
        (terminal, _BY_TERMINAL, transaction.terminal),
    ):
        if wanted:
            yield Purchase(
                event_id=f"{transaction.id}-{key}",
                user_id=f"{key}-{key_id}",
                session_id=key,
                occurred_at=transaction.time_ms,
                order_id=str(transaction.id),
                items=(Item(product_id="p"),),
                amount=round(float(transaction.amount) * 100),
                currency="EUR",
                payment_fingerprint=transaction.fraud,
            )


class Computed(NamedTuple):
    """The features by customer, or by terminal, of one transaction."""

    transaction: int
    key: str
    vector: list[float]


class HandbookFold:
    def __init__(self) -> None:
        self._engine = Engine(HANDBOOK)
        self._computed: list[Computed] = []

    def apply(self, events: Sequence[AnyEvent]) -> None:
        for event in events:
            assert isinstance(event, Purchase)
            by_customer = event.session_id == _BY_CUSTOMER
            vector = self._engine.vector(
                TRANSACTION,
                event.occurred_at,
                {
                    "CUSTOMER_ID" if by_customer else "TERMINAL_ID": event.user_id,
                    "TX_AMOUNT": event.amount / 100,
                    "TX_FRAUD": float(event.payment_fingerprint),
                },
            )
            cut = len(CUSTOMER.names)
            mine = vector[:cut] if by_customer else vector[cut:]
            self._computed.append(Computed(int(event.order_id), event.session_id, mine))

    def effects(self, *, flush: bool) -> Sequence[Computed]:
        computed, self._computed = self._computed, []
        return computed

    def changes(self) -> bytes:
        return msgspec.msgpack.encode(self._engine.changes())

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._engine.snapshot())

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        keys = None if inheritance is None else inheritance.keys
        self._engine.restore(msgspec.msgpack.decode(state, type=State), keys)


class Files:
    """A file per write, with a name of its own: whatever is written twice is there twice, to be compared."""

    def __init__(self, folder: Path, shard_id: str) -> None:
        self._folder = folder
        self._shard_id = shard_id
        self._count = 0

    def write(self, effects: Sequence[Computed], position: Position) -> None:
        if not effects:
            return
        self._count += 1
        path = self._folder / f"{self._shard_id}-{os.getpid()}-{self._count}"
        path.with_suffix(".part").write_bytes(msgspec.msgpack.encode(effects))
        path.with_suffix(".part").rename(path)


class Handbook:
    name = NAME

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open_fold(self, shard_id: str) -> Fold:
        return HandbookFold()

    def open_sink(self, shard_id: str, clients: Clients, settings: Settings) -> Sink:
        return Files(self._folder, shard_id)


def application(folder: str) -> Application:
    return Handbook(Path(folder))


class Found(NamedTuple):
    customers: dict[int, list[float]]
    terminals: dict[int, list[float]]
    repeated: int
    """Vectors that were computed again after the crash, and came out the same, bit for bit."""


def read(folder: Path) -> Found:
    """Raises AssertionError when two computations of one vector differ."""
    found: dict[str, dict[int, list[float]]] = {_BY_CUSTOMER: {}, _BY_TERMINAL: {}}
    repeated = 0
    for path in sorted(folder.iterdir()):
        if path.suffix == ".part":
            continue
        for transaction, key, vector in msgspec.msgpack.decode(path.read_bytes(), type=list[Computed]):
            before = found[key].setdefault(transaction, vector)
            assert before == vector, (transaction, key, before, vector)
            repeated += before is not vector
    return Found(found[_BY_CUSTOMER], found[_BY_TERMINAL], repeated)
