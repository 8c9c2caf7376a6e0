"""``examples/stock`` beside its fold by hand: rows without a sketch, so that what differs is the short level's own work.

python -m clickstream.load.benchmarks.folding.stock
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import click
import msgspec

from clickstream.answers import HOUR, Application, Min, Sum, Table, User
from clickstream.answers.declared import Addition
from clickstream.application import Fold, Wiring
from clickstream.consumers.runtime.state.shard_state import ShardState
from clickstream.events import AnyEvent, ProductView, Purchase
from clickstream.load.benchmarks.folding.by_hand import HOUR_MS, LATENESS_MS, TURN_MS
from clickstream.load.benchmarks.folding.fold import COUNT, fold, sample_lines, with_the_childs_collector
from clickstream.load.benchmarks.harness.measure import Reading, cpu_rate
from clickstream.load.benchmarks.harness.sample import sample_events
from clickstream.records.routing import WHOLE_SPACE

#: As in examples/stock/stock.py; product views stand for stock_seen, and their time for what was left.
STOCK = Table("stock", per=HOUR, left=Min(), sold=Sum())
PER_COMMIT = 20_000
_ROUNDS = 7
_Place = tuple[int, int, str]
_encode = msgspec.msgpack.Encoder().encode


def seen(event: Any, _: User[Any]) -> Iterator[Addition]:
    yield STOCK.add(event.product_id, left=event.occurred_at % 50)


def bought(event: Any, _: User[Any]) -> Iterator[Addition]:
    for item in event.items:
        yield STOCK.add(item.product_id, sold=item.quantity)


class StockFold:
    """A benchmark's: it is never restored."""

    def __init__(self) -> None:
        self._watermark = 0
        self._cells: dict[_Place, list[int | None]] = {}
        self._unsaved: set[_Place] = set()
        self._unwritten: set[_Place] = set()

    def apply(self, events: Sequence[AnyEvent]) -> None:
        for event in events:
            at = event.occurred_at
            if at > self._watermark:
                self._watermark = at
            if isinstance(event, ProductView):
                cell, left = self._cell(at, event.product_id), at % 50
                if cell[0] is None or left < cell[0]:
                    cell[0] = left
            elif isinstance(event, Purchase):
                for item in event.items:
                    cell = self._cell(at, item.product_id)
                    cell[1] = (cell[1] or 0) + item.quantity

    def _cell(self, at: int, product: str) -> list[int | None]:
        hour = at - at % HOUR_MS
        late = 0 if self._watermark < hour + HOUR_MS + LATENESS_MS else 1 + self._watermark // TURN_MS
        place = (hour, late, product)
        self._unsaved.add(place)
        self._unwritten.add(place)
        cell = self._cells.get(place)
        if cell is None:
            cell = self._cells[place] = [None, 0]
        return cell

    def effects(self, *, flush: bool) -> Sequence[tuple[int, int, str, int | None, int | None]]:
        rows = [(*place, *self._cells[place]) for place in self._unwritten]
        self._unwritten.clear()
        return rows  # type: ignore[return-value]  # a cell has two

    def changes(self) -> bytes:
        rows = [(*place, *self._cells[place]) for place in self._unsaved]
        self._unsaved.clear()
        return _encode((self._watermark, rows))

    snapshot = changes

    def restore(self, state: bytes, inheritance: object) -> None:
        raise NotImplementedError


SHORT = Application("stock", on={"product_view": seen, "purchase": bought}, answers=[STOCK])
BY_HAND = Wiring("stock-by-hand", lambda _: StockFold(), SHORT.open_sink)


def _alone(opened: Fold, events: Sequence[AnyEvent]) -> float:
    """CPU seconds of the fold, with what commits ask of it."""
    began = time.process_time()
    for start in range(0, len(events), PER_COMMIT):
        opened.apply(events[start : start + PER_COMMIT])
        opened.changes()
        opened.effects(flush=True)
    return time.process_time() - began


def main() -> None:
    events = sample_events(COUNT, users=20_000)
    earlier, lines = sample_lines()

    def through(application: Any) -> Reading:
        state = ShardState(application.name, application.open_fold("shardId-000000000000"), WHOLE_SPACE)
        fold(state, earlier)
        return with_the_childs_collector(lambda: cpu_rate(COUNT, lambda: fold(state, lines)))

    alone, whole = [], []
    for _ in range(_ROUNDS):  # in turns, so that both meet the same neighbours
        alone.append(_alone(SHORT.open_fold("shard"), events) / _alone(BY_HAND.open_fold("shard"), events))
        whole.append(through(BY_HAND).figure / through(SHORT).figure)
    for what, ratios in (("the fold alone", alone), ("with inflating, decoding and duplicates", whole)):
        click.echo(f"{what}: {median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) times the CPU by hand")


if __name__ == "__main__":
    main()
