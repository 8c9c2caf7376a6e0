"""A partial as a row of the aggregates table: each tally's leaders, compressed, always below DynamoDB's item limit. Pure."""

import zlib
from collections.abc import Iterable

import msgspec

from clickstream.answers.uniques import Uniques
from clickstream.consumers.analytics.counting.partial import Partial
from clickstream.consumers.analytics.counting.sessions import COUNTERS
from clickstream.consumers.analytics.counting.tally import Tally, foremost
from clickstream.consumers.analytics.windows import HOUR, Window

#: DynamoDB's limit for an item is 400 KiB, keys and attribute names included.
MOST_BYTES = 390 * 1024
#: Keys per tally that a row holds at first; halved until the row fits. Minutes are rewritten with every commit: small rows.
MINUTE_LEADERS = 2_048
HOUR_LEADERS = 65_536
_COMPRESS_ABOVE = 1024
#: The hash key of the rows that move, one a shard: counters of its newest windows, which readers set over those of older rows.
MOVING = "moving"
#: With its keys and its position such a row stays below 1 KiB, which is one write unit.
MOVING_BYTES = 720
#: The first byte of every zlib stream here, and of no msgpack array.
_ZLIB = 0x78


class Leaders(msgspec.Struct, array_like=True, frozen=True):
    """The keys that were counted most, in no order; any other key was counted at most ``bound`` times."""

    counts: dict[str, int]
    bound: int


class RowContent(msgspec.Struct, array_like=True, frozen=True):
    """What a row says; the fields of ``Partial``. ``tallies`` in the order of ``partial.TALLIES``."""

    events: dict[str, int]
    revenue: dict[str, int]
    uniques: bytes
    funnel: list[int]
    tallies: list[Leaders]


class Row(msgspec.Struct, frozen=True):
    """An effect: the absolute value of a window's part on a shard. ``width`` in minutes; ``content`` as ``decode`` reads it."""

    window: str
    part: str
    width: int
    content: bytes


class Counters(msgspec.Struct, array_like=True, frozen=True):
    """A window's part without what takes room."""

    window: Window
    events: dict[str, int]
    revenue: dict[str, int]
    funnel: list[int]

    def over(self, older: RowContent) -> RowContent:
        """A row as it was written last, with these counters in place of its own."""
        return RowContent(self.events, self.revenue, older.uniques, self.funnel, older.tallies)


_encoder = msgspec.msgpack.Encoder(order="sorted")  # equal partials give equal bytes
_decoder = msgspec.msgpack.Decoder(RowContent)
decode_moving = msgspec.msgpack.Decoder(list[Counters]).decode
#: Of a window that has no row yet.
NO_ROW = RowContent({}, {}, Uniques().to_bytes(), [0] * COUNTERS, [])


def row(window: Window, shard_id: str, partial: Partial) -> Row:
    return Row(window.partition, window.sort_key(shard_id), window.width, encode(partial, window.width))


def moving(shard_id: str, newest: Iterable[tuple[Window, Partial]]) -> Row:
    """As many windows as it has room for; the others wait for their own rows."""
    told: list[bytes] = []
    for window, partial in newest:
        told.append(_encoder.encode(Counters(window, partial.events, partial.revenue, partial.funnel)))
        if sum(map(len, told)) > MOVING_BYTES:
            del told[-1]
            break
    return Row(MOVING, shard_id, 1, _encoder.encode([msgspec.Raw(each) for each in told]))


def encode(partial: Partial, width: int) -> bytes:
    """At most ``MOST_BYTES``; what does not fit is left out, least counted keys first, and told by the bound."""
    limit = HOUR_LEADERS if width == HOUR else MINUTE_LEADERS
    uniques = partial.uniques.to_bytes()
    while True:
        tallies = [_leaders(tally, limit) for tally in partial.tallies]
        content = RowContent(partial.events, partial.revenue, uniques, partial.funnel, tallies)
        data = _encoder.encode(content)
        if len(data) > _COMPRESS_ABOVE:
            data = zlib.compress(data, 6)  # rows are few now: a tenth smaller for 2 ms each
        # at limit 0 what remains is the currencies: 17,576 codes of three letters at most, far below the limit
        if len(data) <= MOST_BYTES or limit == 0:
            return data
        limit //= 2


def _leaders(tally: Tally, limit: int) -> Leaders:
    counts, left_out = foremost(tally.counts, limit)
    return Leaders(counts, max(left_out, tally.bound()))


def decode(data: bytes) -> RowContent:
    """Raises ValueError when the bytes are no row."""
    try:
        return _decoder.decode(zlib.decompress(data) if data[:1] == bytes([_ZLIB]) else data)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(f"not a row of aggregates: {error}") from error
