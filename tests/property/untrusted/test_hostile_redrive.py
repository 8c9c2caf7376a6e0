"""Dead letters of hostile records: shown without reaching the terminal, and each put back once if it is an event by now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from clickstream import events
from clickstream.aws import Clients
from clickstream.consumers.dead_letters import commands
from clickstream.consumers.dead_letters.letters import Received
from clickstream.consumers.dead_letters.redriving import decide
from clickstream.consumers.runtime.faults.dead_letters import DeadLetter, DeadLetterQueue, dead_letter
from clickstream.errors import Rejected
from clickstream.events import AnyEvent
from clickstream.load.traffic import bounds
from clickstream.platform import DEAD_LETTERS, STATE
from clickstream.records.position import Position
from clickstream.settings import Settings
from tests.property.untrusted import hostile
from tests.property.untrusted.at_the_terminal import is_clean, run

SHARD = "shardId-000000000000"
APPLICATIONS = ("analytics", "fraud")
#: What a refusal, a key or a traceback may carry of a client's text.
told = hostile.texts | st.sampled_from(["\x1b]0;owned\x07", "a\r\nb", "\udcff", "x" * 3_000])


@st.composite
def letters(draw: st.DrawFn) -> list[DeadLetter]:
    """As shards write them, each at a position of its own."""
    return [draw(_letter(Position(number + 1))) for number in range(draw(st.integers(1, 6)))]


def _letter(position: Position) -> st.SearchStrategy[DeadLetter]:
    application = st.sampled_from(APPLICATIONS)
    rejected = st.builds(
        dead_letter,
        application=application,
        shard=st.just(SHARD),
        position=st.just(position),
        partition_key=told,
        arrived_ms=st.just(hostile.NOW + position.sequence),
        reason=told,
        path=told,
        data=hostile.lines | hostile.documents().map(bounds.encoded),
        traceback=st.none() | told,
    )
    refused = st.builds(
        dead_letter,
        effect=hostile.events,
        application=application,
        shard=st.just(SHARD),
        position=st.just(position),
        arrived_ms=st.just(hostile.NOW + position.sequence),
        reason=told,
    )
    return rejected | refused


def expected(sent: Sequence[DeadLetter]) -> tuple[list[tuple[str, AnyEvent]], list[DeadLetter]]:
    """By definition: (application, event) of what must be put, once each, and the letters that must stay."""
    put: dict[tuple[str, str, str], tuple[str, AnyEvent]] = {}
    stay = []
    for letter in sent:
        event = event_of(letter)
        if event is None:
            stay.append(letter)
        else:
            put.setdefault((letter.application, event.event_id, event.user_id), (letter.application, event))
    return list(put.values()), stay


def event_of(letter: DeadLetter) -> AnyEvent | None:
    try:
        return events.decode(letter.data) if letter.effect is None else None
    except Rejected:
        return None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(sent=letters())
def test_each_letter_has_one_decision_and_each_event_is_put_once_for_each_application(sent: list[DeadLetter]) -> None:
    decisions = decide([Received(letter, ("receipt",)) for letter in sent], [])
    put, stay = expected(sent)
    assert [each.received.letter for each in decisions] == sent
    assert [
        (each.event.redriven_for, each.event.user_id, each.event.event_id) for each in decisions if each.event is not None
    ] == [(application, event.user_id, event.event_id) for application, event in put]
    assert [each.received.letter for each in decisions if each.word == "kept"] == stay
    assert len([each for each in decisions if each.word == "dropped"]) == len(sent) - len(put) - len(stay)


class Platform:
    """A queue, a bucket and a stream in process."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.clients = Clients(self.settings)
        self.clients.s3.create_bucket(Bucket=STATE.of(self.settings))
        self.clients.sqs.create_queue(QueueName=DEAD_LETTERS.of(self.settings))
        self.clients.kinesis.create_stream(StreamName=self.settings.stream, ShardCount=1)
        # an empty queue is known to be empty at once here: no test waits a second for it
        self.clients.sqs.meta.events.register("provide-client-params.sqs.ReceiveMessage", _at_once)

    def stream(self) -> list[AnyEvent]:
        kinesis, name = self.clients.kinesis, self.settings.stream
        shard = kinesis.list_shards(StreamName=name)["Shards"][0]["ShardId"]
        iterator = kinesis.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        return [events.decode(record["Data"]) for record in kinesis.get_records(ShardIterator=iterator)["Records"]]


def _at_once(params: dict[str, Any], **_: Any) -> None:
    params["WaitTimeSeconds"] = 0


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Platform]:
    """The platform that the commands find; each example makes its own."""
    platforms: list[Platform] = []
    monkeypatch.setattr(commands, "_surroundings", lambda: (platforms[-1].clients, platforms[-1].settings))
    return platforms


def at_the_terminal(*arguments: str) -> tuple[int, list[str], str]:
    """One clean line after the other, whatever the letters hold."""
    code, stdout, stderr = run(["dlq", *arguments])
    assert is_clean(stdout + stderr)
    assert "a fault of this program" not in stderr
    return code, stdout.split("\n")[:-1], stderr


@settings(
    max_examples=20, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(sent=letters())
def test_the_commands_show_all_of_it_harmlessly_and_redrive_it_once(opened: list[Platform], sent: list[DeadLetter]) -> None:
    put, stay = expected(sent)
    with mock_aws():
        opened.append(platform := Platform())
        DeadLetterQueue(platform.clients, platform.settings).send(sent)

        code, lines, _ = at_the_terminal("list")
        assert (code, len(lines)) == (0, len(sent))
        listed = [json.loads(line) for line in at_the_terminal("list", "--json")[1]]
        assert [each["position"] for each in listed] == [letter.position for letter in sent]
        assert [each["bytes"] for each in listed] == [len(letter.data) for letter in sent]
        for each in listed:
            (shown,) = at_the_terminal("show", each["letter"])[1]
            assert json.loads(shown)["reason"] == each["reason"]

        assert at_the_terminal("redrive", "--dry-run")[0] == (3 if stay else 0)
        assert platform.stream() == []
        assert at_the_terminal("redrive")[0] == (3 if stay else 0)
        stream = platform.stream()
        assert [(each.redriven_for, each.user_id, each.event_id) for each in stream] == [
            (application, event.user_id, event.event_id) for application, event in put
        ]
        # and once more changes nothing
        assert at_the_terminal("redrive")[0] == (3 if stay else 0)
        assert platform.stream() == stream
        left = [json.loads(line)["position"] for line in at_the_terminal("list", "--json")[1]]
        assert left == [letter.position for letter in stay]
