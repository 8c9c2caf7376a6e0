"""The engine, configured as the Fraud Detection Handbook's features, against the file that its authors published."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from clickstream.models.features.definitions import FeatureSet
from clickstream.models.features.engine import Engine, State
from clickstream.models.features.history import Value
from clickstream.models.fraud.offline.handbook import CUSTOMER, HANDBOOK, TERMINAL, TRANSACTION
from clickstream.records.routing import MAX_HASH_KEY, WHOLE_SPACE, HashRange, hash_key
from tests import handbook_files
from tests.handbook_files import ROWS, TOLERANCE

HALVES = (HashRange.of(0, MAX_HASH_KEY // 2), HashRange.of(MAX_HASH_KEY // 2 + 1, MAX_HASH_KEY))


class Transaction(NamedTuple):
    id: int
    time_ms: int
    row: dict[str, Value]


@pytest.fixture(scope="module")
def folder(datasets: Path) -> Path:
    folder = datasets / handbook_files.FOLDER
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    return folder


@pytest.fixture(scope="module")
def published(folder: Path) -> dict[int, list[float]]:
    """The authors' features by transaction id, in the order of ours."""
    return handbook_files.published(folder, HANDBOOK.names)


@pytest.fixture(scope="module")
def transactions(folder: Path) -> list[Transaction]:
    return [
        Transaction(
            line.id,
            line.time_ms,
            {
                "CUSTOMER_ID": line.customer,
                "TERMINAL_ID": line.terminal,
                "TX_AMOUNT": float(line.amount),
                "TX_FRAUD": float(line.fraud),
            },
        )
        for line in handbook_files.transactions(folder)
    ]


@pytest.fixture(scope="module")
def expected(published: dict[int, list[float]], transactions: list[Transaction]) -> NDArray[np.float64]:
    return np.array([published[transaction.id] for transaction in transactions])


def assert_published(ours: list[list[float]], expected: NDArray[np.float64]) -> None:
    assert len(ours) == len(expected) == ROWS
    assert float(np.max(np.abs(np.array(ours) - expected))) <= TOLERANCE


def test_every_row_equals_the_published_features(transactions: list[Transaction], expected: NDArray[np.float64]) -> None:
    engine = Engine(HANDBOOK, durable=False)
    assert_published(
        [engine.vector(TRANSACTION, transaction.time_ms, transaction.row) for transaction in transactions], expected
    )


def through_the_wire(state: State) -> State:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=State)


@pytest.mark.parametrize("cut", [1, 66_001, ROWS - 5])
def test_a_restored_engine_goes_on_as_if_nothing_had_happened(
    transactions: list[Transaction], expected: NDArray[np.float64], cut: int
) -> None:
    """A snapshot two thirds of the way to the cut, changes every 9,000 rows after it, then a crash."""
    engine, chain = Engine(HANDBOOK), []
    ours = []
    for n, transaction in enumerate(transactions[:cut]):
        ours.append(engine.vector(TRANSACTION, transaction.time_ms, transaction.row))
        if n == cut * 2 // 3:
            chain = [msgspec.msgpack.encode(engine.snapshot())]
        elif chain and n % 9_000 == 0:
            chain.append(msgspec.msgpack.encode(engine.changes()))
    chain.append(msgspec.msgpack.encode(engine.changes()))
    restored = Engine(HANDBOOK, durable=False)
    for link in chain:
        restored.restore(msgspec.msgpack.decode(link, type=State))
    ours += [restored.vector(TRANSACTION, transaction.time_ms, transaction.row) for transaction in transactions[cut:]]
    assert_published(ours, expected)


@pytest.mark.parametrize(("features", "key"), [(CUSTOMER, "CUSTOMER_ID"), (TERMINAL, "TERMINAL_ID")])
def test_split_by_hash_range_and_merged_again(
    transactions: list[Transaction], expected: NDArray[np.float64], features: FeatureSet, key: str
) -> None:
    """A stream partitioned by the key: one engine, then one per half of the hash space, then one again."""
    first, second = 50_000, 100_000
    whole = Engine(features)
    ours = [whole.vector(TRANSACTION, transaction.time_ms, transaction.row) for transaction in transactions[:first]]
    halves = [Engine(features) for _ in HALVES]
    snapshot = through_the_wire(whole.snapshot())
    for half, keys in zip(halves, HALVES, strict=True):
        half.restore(snapshot, keys)
    assert 0 < len(halves[0]) < len(whole)
    assert len(halves[0]) + len(halves[1]) == len(whole)
    for transaction in transactions[first:second]:
        home = hash_key(str(transaction.row[key])) in HALVES[1]
        ours.append(halves[home].vector(TRANSACTION, transaction.time_ms, transaction.row))
    merged = Engine(features)
    for half, keys in zip(halves, HALVES, strict=True):
        parent = Engine(features)  # as a lease is: what was inherited, then the half's own changes
        parent.restore(snapshot, keys)
        parent.restore(through_the_wire(half.changes()))
        merged.restore(through_the_wire(parent.snapshot()), WHOLE_SPACE)
    ours += [merged.vector(TRANSACTION, transaction.time_ms, transaction.row) for transaction in transactions[second:]]
    places = [HANDBOOK.names.index(name) for name in features.names]
    assert_published(ours, expected[:, places])
