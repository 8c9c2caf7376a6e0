"""``examples/wishlist`` as one would write it by hand at the full level: its fold and its sink, and nothing general.

Product views stand for wishes, since a benchmark's process declares no event type of its own. The rows and their parts are
the short level's: an hour stays open until the watermark is ``LATENESS_MS`` past its end; what comes later goes into a part
of the quarter of an hour in which it came.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from clickstream.answers.uniques import Uniques
from clickstream.application import Inheritance, Sink, Wiring
from clickstream.aws import Clients
from clickstream.events import AnyEvent, ProductView
from clickstream.failures.outages import translated
from clickstream.failures.refusals import error_code
from clickstream.needs import Table
from clickstream.records.position import Position, guarded_put
from clickstream.settings import Settings

HOUR_MS = 3_600_000
LATENESS_MS = 5 * 60_000
TURN_MS = 15 * 60_000
KEPT_S = 400 * 86_400
WISHES = Table("wishlist-by-hand", key="window", range_key="row", expires="expires")


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The absolute value of a product in one part of one hour."""

    hour: int
    late: int
    product: str
    wishes: int
    wishers: bytes


class State(msgspec.Struct, array_like=True):
    watermark: int
    rows: list[Row]


class _Cell:
    __slots__ = ("wishers", "wishes")

    def __init__(self) -> None:
        self.wishes = 0
        self.wishers = Uniques()


_Place = tuple[int, int, str]
_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(State)


class WishesFold:
    def __init__(self) -> None:
        self._watermark = 0
        self._cells: dict[_Place, _Cell] = {}
        self._touched: dict[_Place, _Cell] = {}
        self._unsaved: dict[_Place, Row] = {}
        self._unwritten: dict[_Place, Row] = {}

    def apply(self, events: Sequence[AnyEvent]) -> None:
        cells, touched, watermark = self._cells, self._touched, self._watermark
        for event in events:
            at = event.occurred_at
            if at > watermark:
                watermark = at
            if not isinstance(event, ProductView):
                continue
            hour = at - at % HOUR_MS
            late = 0 if watermark < hour + HOUR_MS + LATENESS_MS else 1 + watermark // TURN_MS
            place = (hour, late, event.product_id)
            cell = cells.get(place)
            if cell is None:
                cell = cells[place] = _Cell()
            cell.wishes += 1
            cell.wishers.keys.add(event.user_id)
            touched[place] = cell
        self._watermark = watermark

    def effects(self, *, flush: bool) -> Sequence[Row]:
        self._pack()
        rows, self._unwritten = [*self._unwritten.values()], {}
        return rows

    def changes(self) -> bytes:
        self._pack()
        rows, self._unsaved = [*self._unsaved.values()], {}
        return _encode(State(self._watermark, rows))

    def snapshot(self) -> bytes:
        self._pack()
        self._drop_settled()
        self._unsaved = {}
        return _encode(State(self._watermark, [_row(place, cell) for place, cell in self._cells.items()]))

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        restored = _decoder.decode(state)
        self._watermark = max(self._watermark, restored.watermark)
        if inheritance is not None:
            return  # a parent's rows remain
        for row in restored.rows:
            cell = self._cells[row.hour, row.late, row.product] = _Cell()
            cell.wishes = row.wishes
            cell.wishers.merge_bytes(row.wishers)

    def _pack(self) -> None:
        """Each cell that was touched once, for the rows and for the state alike."""
        rows = {place: _row(place, cell) for place, cell in self._touched.items()}
        self._unsaved |= rows
        self._unwritten |= rows
        self._touched.clear()

    def _drop_settled(self) -> None:
        """Parts that no further event falls into."""
        turn = 1 + self._watermark // TURN_MS
        for place in [*self._cells]:
            hour, late, _ = place
            if late < turn if late else self._watermark >= hour + HOUR_MS + LATENESS_MS:
                del self._cells[place]


def _row(place: _Place, cell: _Cell) -> Row:
    return Row(*place, cell.wishes, cell.wishers.to_bytes())


class WishesSink:
    def __init__(self, shard_id: str, clients: Clients, settings: Settings) -> None:
        self._shard_id, self._dynamodb, self._table = shard_id, clients.dynamodb, WISHES.of(settings)

    def write(self, effects: Sequence[Row], position: Position) -> None:
        expires = int(time.time()) + KEPT_S
        for row in effects:
            item: dict[str, Any] = {
                "window": {"S": f"{row.hour:014d}"},
                "row": {"S": f"{row.product}#{self._shard_id}#{row.late}"},
                "wishes": {"N": str(row.wishes)},
                "wishers": {"B": row.wishers},
                "expires": {"N": str(expires)},
            }
            try:
                with translated("DynamoDB"):
                    self._dynamodb.put_item(**guarded_put(self._table, item, position))
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise


def _open_sink(shard_id: str, clients: Clients, settings: Settings) -> Sink:
    return WishesSink(shard_id, clients, settings)


APPLICATION = Wiring("wishlist-by-hand", lambda _: WishesFold(), _open_sink)
