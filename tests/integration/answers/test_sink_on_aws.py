"""The sink of a short application on the embedded AWS: what a crash between sending and the mark leaves is completed once."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec
import pytest
from botocore.exceptions import EndpointConnectionError

from clickstream.answers import needs
from clickstream.answers.cells import Count
from clickstream.answers.declared import Application, Files, Messages, Table
from clickstream.answers.effects import Effect, Line, Message, Row
from clickstream.answers.sink import AnswersSink
from clickstream.aws import Clients
from clickstream.errors import RetryLater
from clickstream.infra.local import resources
from clickstream.needs import Queue
from clickstream.records.position import Position
from clickstream.settings import Settings

pytestmark = pytest.mark.integration

SHARD = "shardId-000000000000"
APPLICATION = Application(
    "told",
    on={},
    answers=[
        Table("counts", count=Count()),
        Messages("queued", to="sqs"),
        Messages("published", to="sns"),
        Messages("posted", to="webhook"),
        Files("lines"),
        Files("columns", format="parquet"),
    ],
)
MESSAGES = ("queued", "published", "posted")
#: A queue that a shop subscribes to the topic.
SUBSCRIBER = Queue("told-subscriber.fifo", topic=needs.topic("told", "published"))


class Shop(http.server.BaseHTTPRequestHandler):
    """The shop's own server; it knows a repetition by its key."""

    told: ClassVar[dict[str, Any]] = {}
    posts: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        key = self.headers["Idempotency-Key"]
        self.told[key] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.posts.append(key)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A deployment with the application's resources, and the shop's server."""
    Shop.told.clear()
    Shop.posts.clear()
    clients = Clients(settings)
    needed = needs.needs_of(APPLICATION)
    needed = msgspec.structs.replace(needed, queues=(*needed.queues, SUBSCRIBER))
    monkeypatch.setattr(resources, "declared", lambda: [needed])
    resources.create(clients, settings, shards=1)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/told"
        yield msgspec.structs.replace(settings, webhooks=json.dumps({"posted": url}))
        server.shutdown()


def test_a_crash_between_sending_and_the_mark_sends_nothing_twice(told: Settings) -> None:
    effects: list[Effect] = [Message(name, f"ann:{n}", b'{"n":%d}' % n) for name in MESSAGES for n in range(3)]
    effects += [Message(name, "ann:0", b'{"n":"another body of a used identity"}') for name in MESSAGES]
    doomed = Clients(told)
    doomed.dynamodb.meta.events.register("before-call.dynamodb.UpdateItem", _dies)
    with pytest.raises(RetryLater):
        AnswersSink(APPLICATION, SHARD, doomed, told).write(effects, Position(1))
    assert len(Shop.posts) == 3, "sent, and not marked"
    clients = Clients(told)
    AnswersSink(APPLICATION, SHARD, clients, told).write(effects, Position(1))
    AnswersSink(APPLICATION, "shardId-000000000001", clients, told).write(effects, Position(2))
    expected = [{"n": n} for n in range(3)]
    queued = _received(clients, needs.queue("told", "queued").of(told))
    published = _received(clients, SUBSCRIBER.of(told))
    assert sorted(queued, key=str) == sorted(published, key=str) == sorted(Shop.told.values(), key=str) == expected
    assert len(Shop.posts) == 6, "once more after the crash, under the same keys, and then never again"


def test_rows_and_lines_are_there_once_however_often_they_are_written(told: Settings) -> None:
    clients = Clients(told)
    row = Row("counts", 3_600_000, 0, "shoe#7", {"count": 7, "users": b"sketch", "mean": 1.5})
    lines = [Line(name, 86_400_000 * (n % 2), b'{"n":%d}' % n, n) for name in ("lines", "columns") for n in range(6)]
    first = AnswersSink(APPLICATION, SHARD, clients, told)
    first.write([row, *lines[:2], *lines[6:8]], Position(2))
    first.write([*lines[2:6], *lines[8:12]], Position(3))
    again = AnswersSink(APPLICATION, SHARD, clients, told)
    again.write([row._replace(cells={"count": 1}), *lines[:3], *lines[6:9]], Position(1))
    again.write([*lines[3:6], *lines[9:12]], Position(3))
    (stored,) = clients.dynamodb.scan(TableName=needs.answers_table("told", "counts").of(told))["Items"]
    cells = {"count": {"N": "7"}, "users": {"B": msgspec.msgpack.encode(b"sketch")}, "mean": {"B": msgspec.msgpack.encode(1.5)}}
    key = {"window": {"S": "00000003600000"}, "row": {"S": f"shoe#7#{SHARD}#0"}, "position": {"S": str(Position(2))}}
    assert {name: value for name, value in stored.items() if name != "expires"} == key | cells
    bucket = needs.bucket("told").of(told)
    names = [each["Key"] for each in clients.s3.list_objects_v2(Bucket=bucket)["Contents"]]
    days = ("date=1970-01-01", "date=1970-01-02")
    kinds = ("columns", "parquet"), ("lines", "ndjson")
    assert names == [f"{files}/{day}/{SHARD}.00000000.{kind}" for files, kind in kinds for day in days]
    assert [_numbers(clients, bucket, name) for name in names] == [[0, 2, 4], [1, 3, 5]] * 2


def _dies(**_: object) -> None:
    raise EndpointConnectionError(endpoint_url="http://the.test.says.no")


def _received(clients: Clients, queue: str) -> list[Any]:
    """Every message that waits, taken out."""
    url = clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found: list[Any] = []
    while messages := clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"]) for message in messages]
        for message in messages:
            clients.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def _numbers(clients: Clients, bucket: str, key: str) -> list[int]:
    body = clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    if key.endswith(".ndjson"):
        return [json.loads(line)["n"] for line in body.splitlines()]
    import pyarrow as pa
    import pyarrow.parquet

    found: list[int] = pyarrow.parquet.read_table(pa.BufferReader(body))["n"].to_pylist()
    return found
