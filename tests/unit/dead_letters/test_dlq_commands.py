"""``clickstream dlq`` over a queue, a bucket and a stream in process (moto)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from moto import mock_aws

from clickstream import events
from clickstream.aws import Clients
from clickstream.consumers.dead_letters.commands import dlq
from clickstream.consumers.dead_letters.letters import reading
from clickstream.consumers.dead_letters.views import look
from clickstream.consumers.runtime.faults.dead_letters import DeadLetter, DeadLetterQueue, dead_letter
from clickstream.events import Login
from clickstream.platform import DEAD_LETTERS, STATE
from clickstream.records.position import Position
from clickstream.settings import Settings, from_env

NOW_MS = 1_764_000_000_000


class Stack:
    def __init__(self) -> None:
        self.settings: Settings = from_env()
        self.clients = Clients(self.settings)
        self.clients.s3.create_bucket(Bucket=STATE.of(self.settings))
        self.clients.sqs.create_queue(QueueName=DEAD_LETTERS.of(self.settings))
        self.clients.kinesis.create_stream(StreamName=self.settings.stream, ShardCount=1)
        self.queue = DeadLetterQueue(self.clients, self.settings)

    def run(self, *arguments: str) -> tuple[int, list[str]]:
        result = CliRunner().invoke(dlq, arguments, standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return result.return_value or 0, result.stdout.splitlines()

    def stream(self) -> list[bytes]:
        kinesis, name = self.clients.kinesis, self.settings.stream
        shard = kinesis.list_shards(StreamName=name)["Shards"][0]["ShardId"]
        iterator = kinesis.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        return [record["Data"] for record in kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "test")
    with mock_aws():
        yield Stack()


def letter(sequence: int, data: bytes, reason: str = "not JSON") -> DeadLetter:
    return dead_letter(
        application="analytics",
        shard="shardId-000000000000",
        position=Position(sequence),
        partition_key="u",
        arrived_ms=NOW_MS + sequence,
        reason=reason,
        path="$",
        data=data,
    )


def login(event_id: str) -> bytes:
    return events.encode(Login(event_id=event_id, user_id="ann", session_id="s", occurred_at=1_764_000_000_000))


def test_list_filters_and_leaves_the_letters(stack: Stack) -> None:
    stack.queue.send([letter(2, b"\xff\xfe"), letter(1, login("e1"), "occurred in the future")])
    for _ in range(2):  # the second time shows that the first gave them back
        _, lines = stack.run("list", "--json")
        assert [json.loads(line)["event_id"] for line in lines] == ["e1", None], "oldest first"
    _, lines = stack.run("list", "--reason", "FUTURE")
    assert len(lines) == 1


def test_a_repeated_send_is_one_letter(stack: Stack) -> None:
    stack.queue.send([letter(1, b"x")])
    stack.queue.send([letter(1, b"x")])
    _, lines = stack.run("list", "--json")
    assert len(lines) == 1


def test_a_look_takes_nothing_and_tells_nothing_that_was_sent(stack: Stack) -> None:
    stack.queue.send(
        [letter(1, login("e1"), "bad amount 'ann@example.com'"), letter(2, b"\xff" * 900_000), letter(2, b"again")]
    )
    for _ in range(2):
        seen = look(stack.clients, stack.settings)
        assert [(each.arrived_at, each.reason) for each in seen.letters] == [
            (NOW_MS + 2, "not JSON"),
            (NOW_MS + 1, "bad amount '…'"),
        ]
        assert (seen.visible, seen.hidden) == (3, 0)
    _, lines = stack.run("list", "--json")
    assert {json.loads(line)["letter"] for line in lines} == {each.id for each in seen.letters}
    with reading(stack.clients, stack.settings) as queue:
        queue.receive()
        held = look(stack.clients, stack.settings)
    assert (held.letters, held.visible, held.hidden) == ([], 0, 3)


def test_show_has_the_bytes_also_of_a_large_record(stack: Stack) -> None:
    large = b"\xff" * 900_000
    stack.queue.send([letter(1, large), letter(2, "grün".encode())])
    _, lines = stack.run("list", "--json")
    ids = [json.loads(line)["letter"] for line in lines]
    _, shown = stack.run("show", ids[0])
    assert json.loads(shown[0])["bytes"] == len(large)
    _, shown = stack.run("show", ids[1])
    assert json.loads(shown[0])["text"] == "grün"


def test_redrive_puts_what_is_an_event_and_deletes_its_letter(stack: Stack) -> None:
    stack.queue.send([letter(1, login("e1")), letter(2, b"nonsense")])
    assert stack.run("redrive", "--dry-run")[0] == 3
    assert stack.stream() == []
    code, _ = stack.run("redrive")
    assert code == 3, "one letter stays"
    [data] = stack.stream()
    assert (events.decode(data).event_id, events.decode(data).redriven_for) == ("e1", "analytics")
    _, lines = stack.run("list", "--json")
    assert [json.loads(line)["event_id"] for line in lines] == [None]


def test_a_missing_queue_is_one_line_and_a_hint(stack: Stack) -> None:
    stack.clients.sqs.delete_queue(
        QueueUrl=stack.clients.sqs.get_queue_url(QueueName=DEAD_LETTERS.of(stack.settings))["QueueUrl"]
    )
    from clickstream.errors import Missing

    with pytest.raises(Missing, match="there is no queue"):
        stack.run("list")
    with pytest.raises(Missing, match="there is no queue"):
        look(stack.clients, stack.settings)
