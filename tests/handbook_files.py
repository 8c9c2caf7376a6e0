"""The Fraud Detection Handbook's raw transactions and the features that its authors published of them."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

FOLDER = "fraud_handbook_simulated"
ROWS = 134_288
#: The file prints ten digits.
TOLERANCE = 1e-6
_RAW = "raw_2018-04-01_2018-04-14.csv.gz"
_FEATURES = "features_2018-04-01_2018-04-14.csv.gz"
_CUSTOMER_COUNT = "CUSTOMER_ID_NB_TX_30DAY_WINDOW"


class Transaction(NamedTuple):
    id: int
    time_ms: int
    customer: str
    terminal: str
    amount: str
    """As the file has it, with two decimals."""
    fraud: str
    """0 or 1."""


def published(folder: Path, names: Sequence[str]) -> dict[int, list[float]]:
    """The authors' features by transaction id, in the order of ``names``."""
    with gzip.open(folder / _FEATURES, "rt", newline="") as lines:
        rows = {int(row["TRANSACTION_ID"]): [float(row[name]) for name in names] for row in csv.DictReader(lines)}
    assert len(rows) == ROWS
    return rows


def transactions(folder: Path) -> list[Transaction]:
    """The stream, in order of time.

    Two customers have two transactions within one second. The raw data do not say which came first; the authors' count of
    the customer's transactions does (for one of them against the order of the file).
    """

    def read() -> Iterator[Transaction]:
        with gzip.open(folder / _RAW, "rt", newline="") as lines:
            for row in csv.DictReader(lines):
                at = datetime.fromisoformat(row["TX_DATETIME"]).replace(tzinfo=UTC)
                yield Transaction(
                    int(row["TRANSACTION_ID"]),
                    int(at.timestamp()) * 1000,
                    row["CUSTOMER_ID"],
                    row["TERMINAL_ID"],
                    row["TX_AMOUNT"],
                    row["TX_FRAUD"],
                )

    rows = list(read())
    per_second = Counter((row.customer, row.time_ms) for row in rows)
    assert sum(count > 1 for count in per_second.values()) == 2
    counts = published(folder, [_CUSTOMER_COUNT])
    return sorted(rows, key=lambda row: (row.time_ms, row.customer, counts[row.id]))
