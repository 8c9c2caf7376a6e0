"""Events of a file as training rows: the engine that serves computes the features, in the order of the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pandas as pd

from clickstream import events
from clickstream.errors import Missing, Rejected, UserMistake
from clickstream.events import AnyEvent, Purchase
from clickstream.models.features.engine import Engine
from clickstream.models.fraud import labels as labels_file
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.models.fraud.rows import ROWS

#: Of a file without a split, the latest purchases are the test.
TEST_SHARE = 0.2


class Purchases(msgspec.Struct, frozen=True):
    """One row per purchase, in the order of the file. ``facts``: user_id, occurred_at (ms), amount (of events in
    euro cents), and of events event_id."""

    features: pd.DataFrame
    facts: pd.DataFrame
    kinds: pd.Series | None
    """What kind of fraud, "" for a genuine purchase; None without labels."""
    sha256: str = ""
    """Of the events' file and of the labels."""

    @property
    def frauds(self) -> pd.Series | None:
        """Truth values; None without labels."""
        return None if self.kinds is None else self.kinds != ""

    def split(self) -> tuple[Purchases, Purchases]:
        """By time: the earlier four fifths, and the latest fifth."""
        order = self.facts["occurred_at"].sort_values(kind="stable").index
        cut = len(order) - int(len(order) * TEST_SHARE)
        return self._only(order[:cut]), self._only(order[cut:])

    def _only(self, rows: pd.Index) -> Purchases:
        kinds = None if self.kinds is None else self.kinds.loc[rows]
        return Purchases(self.features.loc[rows], self.facts.loc[rows], kinds, self.sha256)


def read(path: Path, labels: Path | None) -> Purchases:
    """Events as NDJSON (``clickstream tail``), and a CSV with the columns event_id and fraud (0 or 1), perhaps kind.

    A purchase without label counts as genuine: nobody complained. Raises Missing, or UserMistake for what is no such file.
    """
    digest = hashlib.sha256()
    engine = Engine(PURCHASES, durable=False)
    vectors, facts = [], []
    for event in _events(path, digest):
        make = ROWS.get(type(event))
        if make is None:
            continue
        kind, row = make(event)
        if not isinstance(event, Purchase):
            engine.observe(kind, event.occurred_at, row)
            continue
        vectors.append(engine.vector(kind, event.occurred_at, row))
        facts.append((event.event_id, event.user_id, event.occurred_at, row["amount"]))
    if not vectors:
        raise UserMistake(f"{path} holds no purchases")
    table = pd.DataFrame(facts, columns=["event_id", "user_id", "occurred_at", "amount"])
    kinds = None
    if labels is not None:
        kinds = table["event_id"].map(_kinds(labels, digest)).fillna("")
        if not (kinds != "").any():
            raise UserMistake(
                f"no fraud of {labels} is among the purchases of {path}", hint="do the two files belong together?"
            )
    features = pd.DataFrame(vectors, columns=list(PURCHASES.names), dtype="float64")
    return Purchases(features, table, kinds, digest.hexdigest())


def _events(path: Path, digest: hashlib._Hash) -> Iterator[AnyEvent]:
    """Without the repeats of an event id: a retry is not a second purchase."""
    seen: set[str] = set()
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                digest.update(line)
                try:
                    event = events.decode(line)
                except Rejected as error:
                    raise UserMistake(f"{path}, line {number}: {error}") from error
                if event.event_id not in seen:
                    seen.add(event.event_id)
                    yield event
    except FileNotFoundError as error:
        raise Missing(f"no file {path}") from error


def _kinds(labels: Path, digest: hashlib._Hash) -> dict[str, str]:
    text = labels_file.read(labels)
    digest.update(text)
    return {event_id: kind for event_id, kind in labels_file.parse(text, labels).items() if kind != labels_file.GENUINE}
