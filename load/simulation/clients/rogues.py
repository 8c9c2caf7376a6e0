"""Programs that are none of ours: they send what is no event, what our code has a bug for, and records of any make."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from functools import partial
from random import Random

import zstandard

from clickstream import events
from clickstream.events import AddToCart
from clickstream.load.simulation.applications.history import BREAKS_THE_FOLD
from clickstream.load.simulation.clients.shoppers import SENDING_MS, Shop, Shopper
from clickstream.load.simulation.fleet.deaggregation import hash_of
from clickstream.load.simulation.fleet.lines import MOST_BYTES, MOST_LINES, read
from clickstream.load.simulation.fleet.scheduler import Process
from clickstream.load.simulation.ledger import Sent
from clickstream.records.aggregation import Aggregate

_USERS = 5
_BLANK = (b"", b" ", b"\t\r")


class Rogues:
    """Each is one program; all of them are one process that nothing kills."""

    def __init__(self, shop: Shop, process: Process) -> None:
        self._shop = shop
        plan = shop.plan
        self._random = Random(f"rogue users {plan.seed}")
        self._users = [Shopper(shop, f"rogue-user-{number}", number, 1, self._random) for number in range(_USERS)]
        self._sent = 0
        programs = [(plan.poison, "poison", self._poison), (plan.raw, "raw record", self._raw)]
        if plan.application == "history":
            programs.append((plan.breakers, "breaker", self._breaker))
        for count, what, send in programs:
            if count:
                process.spawn(partial(self._run, count, what, send), what)

    def _run(self, count: int, what: str, send: Callable[[Random, int], None]) -> None:
        shop = self._shop
        random = Random(f"{what} {shop.plan.seed}")
        for number in range(count):
            shop.scheduler.sleep(random.randrange(2 * SENDING_MS // count))
            if not shop.chance.on:
                return
            shop.chance.counts[what] += 1
            send(random, number)

    def _poison(self, random: Random, number: int) -> None:
        """No event, or one under a wrong key: through a publisher, so inside of records of many, or alone."""
        key = f"rogue-{random.randrange(1000)}"
        which = random.random()
        if which < 0.2:
            data = self._stranger(number)
        elif which < 0.35:
            key, data = self._pretty(random, key)
        else:
            data = _rubbish(random, f"{number}", key, self._shop.scheduler.now)
            self._shop.ledger.poison[data] = None
        self._publish_or_put(random, key, data)

    def _breaker(self, random: Random, number: int) -> None:
        """A valid event that the application's fold has a bug for."""
        key = f"rogue-{random.randrange(1000)}"
        breaking = AddToCart(
            event_id=f"breaker-{number}",
            user_id=key,
            session_id="s",
            occurred_at=self._shop.scheduler.now,
            product_id=BREAKS_THE_FOLD,
        )
        data = events.encode(breaking)
        self._shop.ledger.poison[data] = key
        if random.random() < 0.5:
            self._publish_or_put(random, key, data)
        else:
            lines = [sent.data for sent in self._events(random.randrange(1, 10))]
            lines.insert(random.randrange(len(lines) + 1), data)
            self._put(key, _packed(random, lines))

    def _publish_or_put(self, random: Random, key: str, data: bytes) -> None:
        if random.random() < 0.7:
            random.choice(self._shop.publishers).put(key, data, None)
        else:
            self._shop.stream.put_raw(key, data)

    def _stranger(self, number: int) -> bytes:
        """Somebody's event under somebody else's key: no event as long as it is alone, and one among the lines of a block."""
        return Shopper(self._shop, f"stranger-{number}", 0, 1, self._random).make(0).data

    # records of any make

    def _raw(self, random: Random, number: int) -> None:
        shapes = (
            *(self._mixed, self._mixed, self._mixed, self._mixed),
            *(self._damaged, self._cut_short, self._followed, self._bomb, self._lie),
            *(self._too_many, self._nearly_too_many, self._blank, self._wrong_key, self._pretty, self._nested),
            *(self._block_in_an_aggregate, self._block_alone_in_an_aggregate, self._broken_aggregate),
        )
        for _ in range(random.choice((1, 1, 4))):
            self._put(*random.choice(shapes)(random, f"rogue-{random.randrange(1000)}"))

    def _put(self, key: str, data: bytes) -> None:
        """What is at home where it lies was sent for good, in this order."""
        ledger = self._shop.ledger
        shard = self._shop.stream.range_of(self._shop.stream.put_raw(key, data))
        contents = read(key, data)
        for line in contents.lines:
            sent = ledger.event(line.data)
            if sent is None:
                ledger.poison.setdefault(line.data, None)
            elif not contents.filtered_by and line.key in (None, sent.user_id) and shard.holds(hash_of(sent.user_id)):
                sent.acknowledged = True

    def _events(self, count: int) -> list[Sent]:
        sent = []
        for _ in range(count):
            self._sent += 1
            sent.append(self._random.choice(self._users).make(self._sent))
        return sent

    def _lines(self, random: Random, least: int = 4) -> list[bytes]:
        """Events, enough of them to be worth compressing."""
        return [sent.data for sent in self._events(random.randint(least, 12))]

    def _mixed(self, random: Random, key: str) -> tuple[str, bytes]:
        """Events of users of this shard and of others, some twice, between rubbish and blank lines."""
        lines: list[bytes] = []
        for _ in range(random.choice((2, 3, 8, 30))):
            which = random.random()
            if which < 0.65:
                # some as Windows ends lines
                lines.append(self._events(1)[0].data + random.choice((b"", b"", b"", b"\r")))
            elif which < 0.75:
                lines.append(_rubbish(random, f"line {random.randrange(10**9)}", None, self._shop.scheduler.now))
            elif which < 0.8:
                # two events in one line, and one in two
                together = b" ".join(sent.data for sent in self._events(2))
                spread = together.replace(b",", b",\n", 1).split(b"\n")
                lines += random.choice(([together], [together, b""], spread, [*spread, together]))
            elif which < 0.9:
                lines.append(random.choice(_BLANK))
            elif lines:
                lines.append(random.choice(lines))
        return key, _packed(random, lines)

    def _damaged(self, random: Random, key: str) -> tuple[str, bytes]:
        data = bytearray(_compressed(random, self._lines(random)))
        # of either format, within what its checksum covers
        data[random.randrange(len(data) // 2, len(data) - 8)] ^= random.randrange(1, 256)
        return key, bytes(data)

    def _cut_short(self, random: Random, key: str) -> tuple[str, bytes]:
        data = _compressed(random, self._lines(random))
        return key, data[: random.randrange(5, len(data))]

    def _followed(self, random: Random, key: str) -> tuple[str, bytes]:
        data = _compressed(random, self._lines(random))
        return key, data + random.choice((b"\n", b"x", data, _compressed(random, self._lines(random))))

    def _bomb(self, random: Random, key: str) -> tuple[str, bytes]:
        """An event and more blanks than a block may have bytes."""
        text = self._events(1)[0].data + b"\n" + b" " * MOST_BYTES
        packers = (_zstd, partial(_zstd, tells_size=False), _gzip)
        return key, random.choice(packers)(text)

    def _lie(self, random: Random, key: str) -> tuple[str, bytes]:
        """A small frame whose header tells another size."""
        frame = _zstd(b"\n".join(self._lines(random)), tells_size=False)
        told = random.choice((0, 7, 2**40, 2**63))
        return key, frame[:4] + bytes([frame[4] | 0xC0, frame[5]]) + told.to_bytes(8, "little") + frame[6:]

    def _too_many(self, random: Random, key: str) -> tuple[str, bytes]:
        lines = self._lines(random, least=2)
        return key, _packed(random, [*lines, *[b""] * (MOST_LINES + 1 - len(lines)), *self._lines(random, least=1)])

    def _nearly_too_many(self, random: Random, key: str) -> tuple[str, bytes]:
        """The most lines that a block may have, nearly all of them blank."""
        first, last = self._lines(random, least=1), self._lines(random, least=1)
        return key, _packed(random, [*first, *[b""] * (MOST_LINES - len(first) - len(last)), *last])

    def _blank(self, random: Random, key: str) -> tuple[str, bytes]:
        return key, random.choice((b"\n", b" ", b"\n\n \n", b"\r\n" * random.randint(1, 9)))

    def _wrong_key(self, random: Random, key: str) -> tuple[str, bytes]:
        """One line, compressed or between blanks, whose user is not the partition key."""
        line = self._events(1)[0].data
        return key, random.choice((_zstd, _gzip, bytes))(random.choice((line, line + b"\n", b"\n" + line + b"\n \n")))

    def _pretty(self, random: Random, key: str) -> tuple[str, bytes]:
        """One event over several lines; alone, its key counts."""
        sent = self._events(1)[0]
        data = json.dumps(json.loads(sent.data), indent=random.choice((None, 0, 2)) or 1).encode()
        self._shop.ledger.by_data[data] = sent
        return random.choice((key, sent.user_id, sent.user_id)), data

    def _nested(self, random: Random, key: str) -> tuple[str, bytes]:
        """A block in a block."""
        return key, _compressed(random, [_compressed(random, self._lines(random)), *self._lines(random)])

    def _block_in_an_aggregate(self, random: Random, key: str) -> tuple[str, bytes]:
        members = [(sent.user_id, sent.data) for sent in self._events(random.randint(1, 6))]
        members.insert(random.randrange(len(members) + 1), (members[0][0], _packed(random, self._lines(random, least=2))))
        return members[0][0], _aggregate(members)

    def _block_alone_in_an_aggregate(self, random: Random, key: str) -> tuple[str, bytes]:
        """Nobody who reads it behind KCL can tell it from a block alone."""
        return key, _aggregate([(key, _packed(random, self._lines(random, least=2)))])

    def _broken_aggregate(self, random: Random, key: str) -> tuple[str, bytes]:
        """Delivered whole, with line feeds in it."""
        data = bytearray(_aggregate([(sent.user_id, sent.data) for sent in self._events(random.randint(1, 6))]))
        data[random.randrange(4, len(data))] ^= random.randrange(1, 256)
        return key, bytes(data)


def _rubbish(random: Random, name: str, key: str | None, now_ms: int) -> bytes:
    """One line that is no event wherever it stands; with a key, perhaps of that user."""
    head = f'{{"type":"login","session_id":"s","event_id":"poison-{name}","user_id":"{key or "rogue"}",'
    return random.choice(
        (
            f"nonsense {name}".encode(),
            b"\xf3\x89\x9a\xc2 broken " + name.encode(),
            b"\x28\xb5\x2f\xfd broken " + name.encode(),
            (head + '"occurred_at":"yesterday"}').encode(),
            (head + f'"occurred_at":{now_ms + 3_600_000}}}').encode(),
        )
    )


def _packed(random: Random, lines: Sequence[bytes]) -> bytes:
    """In any of the three ways, with or without a last line feed."""
    return random.choice((_zstd, partial(_zstd, tells_size=False), _gzip, bytes))(_text(random, lines))


def _compressed(random: Random, lines: Sequence[bytes]) -> bytes:
    return random.choice((_zstd, _gzip))(_text(random, lines))


def _text(random: Random, lines: Sequence[bytes]) -> bytes:
    return b"\n".join(lines) + random.choice((b"", b"\n"))


def _zstd(text: bytes, *, tells_size: bool = True) -> bytes:
    return zstandard.ZstdCompressor(level=1, write_checksum=True, write_content_size=tells_size).compress(text)


def _gzip(text: bytes) -> bytes:
    return gzip.compress(text, 1, mtime=0)


def _aggregate(members: Sequence[tuple[str, bytes]]) -> bytes:
    aggregate = Aggregate(limit=1024 * 1024)
    assert aggregate.fill(members) == len(members)
    return aggregate.encode()
