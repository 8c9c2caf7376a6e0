"""One shard with records of every kind: by our publisher in each of its formats, and by writers of others' making."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from itertools import count, islice
from typing import Any, NamedTuple

from backports import zstd

from clickstream.aws import Clients
from clickstream.events import AnyEvent, Login, ProductView, Search, encode
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.producers.publisher.limits import Limits
from clickstream.settings import Settings
from tests.integration.publisher.stream import records

Event = dict[str, Any]
#: Each is written by the publisher as records of many events, and as a record of one.
FORMATS = ("zstd", "gzip", "ndjson")
_AT_MS = 1_790_000_000_000


class Stream(NamedTuple):
    """What was put, in order, and the records that hold it."""

    events: list[Event]
    records: list[dict[str, Any]]

    @property
    def data(self) -> list[bytes]:
        return [record["Data"] for record in self.records]


def made() -> Iterator[AnyEvent]:
    """Without end; some with text that is not ASCII."""
    for number in count(1):
        user, at_ms = f"user-{number % 7}", _AT_MS + number
        yield ProductView(
            event_id=f"view-{number}", user_id=user, session_id="s-1", occurred_at=at_ms, product_id=f"p-{number % 50}"
        )
        yield Search(event_id=f"search-{number}", user_id=user, session_id="s-1", occurred_at=at_ms, query="grüne Schuhe 👟 靴")


def written(settings: Settings) -> Stream:
    """A new stream of one shard, with everything in it."""
    kinesis = Clients(settings).kinesis
    kinesis.create_stream(StreamName=settings.stream, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=settings.stream, WaiterConfig={"Delay": 1})
    source = made()
    put: list[AnyEvent] = []
    for records_format in FORMATS:
        for many in (2_000, 1):
            events = list(islice(source, many))
            publish(settings, records_format, events)
            put += events
    for data, events in by_others(source):
        kinesis.put_record(StreamName=settings.stream, Data=data, PartitionKey=events[0].user_id)
        put += events
    shard = kinesis.list_shards(StreamName=settings.stream)["Shards"][0]["ShardId"]
    return Stream([json.loads(encode(event)) for event in put], list(records(kinesis, settings.stream, shard)))


def publish(settings: Settings, records_format: Any, events: list[AnyEvent]) -> None:
    with KinesisPublisher(settings, Limits(records=records_format)) as publisher:
        for event in events:
            publisher.put(event)


def by_others(source: Iterator[AnyEvent]) -> Iterator[tuple[bytes, list[AnyEvent]]]:
    """What the rules allow and our publisher does not do."""

    def events(many: int) -> tuple[list[bytes], list[AnyEvent]]:
        taken = list(islice(source, many))
        return [encode(event) for event in taken], taken

    lines, put = events(50)
    compressor = zstd.ZstdCompressor(level=19)  # as a stream: no size in the frame's header, no checksum
    yield compressor.compress(b"\n".join(lines)) + compressor.flush(), put
    lines, put = events(50)
    named = io.BytesIO()
    with gzip.GzipFile(filename="events.ndjson", mode="wb", fileobj=named) as file:
        file.write(b"\n".join([*lines, b""]))
    yield named.getvalue(), put
    lines, put = events(3)
    yield b"\n\r\n" + b"\r\n \n".join(lines), put
    lines, put = events(1)
    yield gzip.compress(lines[0]), put


def login(number: int) -> bytes:
    return encode(Login(event_id=f"login-{number}", user_id="user-1", session_id="s-1", occurred_at=_AT_MS))


class Damage(NamedTuple):
    what: str
    data: bytes


#: 64 MiB of them are a bomb in either format.
_ZEROS = b'{"type":"login"}\n' * 4096 * 1024


def damaged() -> list[Damage]:
    """Blocks that no reader may believe."""
    text = b"".join(login(number) + b"\n" for number in range(100))
    whole, zipped = zstd.compress(text), gzip.compress(text)
    return [
        Damage("zstd cut short", whole[:-20]),
        Damage("gzip cut short", zipped[:-20]),
        Damage("gzip with a wrong checksum", zipped[:-8] + b"\0\0\0\0" + zipped[-4:]),
        Damage("a bomb in zstd", zstd.compress(_ZEROS)),
        Damage("a bomb in gzip", gzip.compress(_ZEROS)),
    ]
