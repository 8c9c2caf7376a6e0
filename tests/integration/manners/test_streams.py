"""Against a live embedded AWS: data and talk kept apart, JSON that parses, dry runs that change nothing, signals, variables."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clickstream.aws import Clients
from clickstream.consumers.runtime.faults.dead_letters import DeadLetterQueue, dead_letter
from clickstream.events import Login, encode
from clickstream.records.kinesis import list_shards
from clickstream.records.position import Position
from clickstream.settings import Settings, environment
from tests.unit.manners.program import PROGRAM

pytestmark = pytest.mark.integration

_SHARD = "shardId-000000000000"


@pytest.fixture
def letter(provisioned: Settings) -> str:
    """The event id of a dead letter that today's code takes."""
    event = Login(event_id="redrivable", user_id="u1", session_id="s1", occurred_at=int(time.time() * 1000))
    DeadLetterQueue(Clients(provisioned), provisioned).send(
        [
            dead_letter(
                application="fraud",
                shard=_SHARD,
                position=Position(1, 0),
                partition_key="u1",
                arrived_ms=event.occurred_at,
                reason="the code of that day",
                path="$",
                data=encode(event),
            )
        ]
    )
    return event.event_id


def _run(settings: Settings, *arguments: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        env={**environment(settings), **variables},
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _events(count: int) -> str:
    now_ms = int(time.time() * 1000)
    return "".join(
        encode(Login(event_id=f"e{n}", user_id=f"u{n}", session_id="s", occurred_at=now_ms)).decode() + "\n"
        for n in range(count)
    )


def _json_lines(text: str) -> list[object]:
    return [json.loads(line) for line in text.splitlines()]


def test_what_is_put_comes_out_as_data_and_the_talk_stays_on_stderr(provisioned: Settings) -> None:
    put = _run(provisioned, "produce", "-", given=_events(5) + "no event\n")
    assert (put.returncode, put.stdout) == (3, "")
    assert "line 6" in put.stderr
    shown = _run(provisioned, "tail", "--since", "TRIM_HORIZON")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert sorted(json.loads(line)["event_id"] for line in shown.stdout.splitlines()) == ["e0", "e1", "e2", "e3", "e4"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("produce", "-", "--json"),
        ("shards", "list", "--json"),
        ("shards", "split", "0", "--json"),
        ("query", "aggregates", "--json"),
        ("query", "recommendations", "u1", "--json"),
        ("dlq", "list", "--json"),
        ("dlq", "show", "redrivable"),
        ("dlq", "redrive", "--dry-run", "--json"),
        ("models", "list", "fraud", "--json"),
    ],
    ids=" ".join,
)
def test_json_is_all_that_stdout_has(arguments: tuple[str, ...], provisioned: Settings, letter: str) -> None:
    said = _run(provisioned, *arguments)
    assert said.returncode == 0, said.stderr
    assert _json_lines(said.stdout) or arguments[0] == "models"  # no model was ever trained here


def test_a_dry_redrive_leaves_stream_and_queue_as_they_are(provisioned: Settings, letter: str) -> None:
    said = _run(provisioned, "dlq", "redrive", "--dry-run")
    assert said.returncode == 0, said.stderr
    assert "would be: 1 put" in said.stderr
    assert _run(provisioned, "tail", "--since", "TRIM_HORIZON").stdout == ""
    assert letter in _run(provisioned, "dlq", "list").stdout
    done = _run(provisioned, "dlq", "redrive")
    assert done.returncode == 0, done.stderr
    assert letter in _run(provisioned, "tail", "--since", "TRIM_HORIZON").stdout


@pytest.mark.parametrize(
    "arguments",
    [("split", "0", "--dry-run"), ("split", "0"), ("merge", "0", "1", "--dry-run"), ("scale", "4", "--dry-run")],
    ids=" ".join,
)
def test_a_dry_reshard_changes_nothing(arguments: tuple[str, ...], provisioned: Settings) -> None:
    before = list_shards(Clients(provisioned).kinesis, provisioned.stream)
    said = _run(provisioned, "shards", *arguments)
    assert (said.returncode, said.stdout.split()[0]) == (0, "would"), said.stderr
    assert "dry run" in said.stderr
    assert list_shards(Clients(provisioned).kinesis, provisioned.stream) == before


@pytest.mark.parametrize("arguments", [("load", "run", "--duration", "1", "--rate", "20", "--dry-run")], ids=" ".join)
def test_a_dry_run_of_the_generator_prints_what_it_would_send(arguments: tuple[str, ...], provisioned: Settings) -> None:
    said = _run(provisioned, *arguments)
    assert said.returncode == 0, said.stderr
    assert said.stdout.count("\n") >= 10
    assert _run(provisioned, "tail", "--since", "TRIM_HORIZON").stdout == ""


def test_dry_puts_put_nothing(provisioned: Settings, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text(_events(3))
    for command in (("produce",), ("load", "replay")):
        said = _run(provisioned, *command, str(file), "--dry-run")
        assert (said.returncode, said.stdout) == (0, ""), said.stderr
    assert _run(provisioned, "tail", "--since", "TRIM_HORIZON").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("tail",), "stream"),
        (("produce", "-"), "stream"),
        (("collect", "--port", "0"), "stream"),
        (("worker", "analytics"), "stream"),
        (("shards", "list"), "stream"),
        (("dlq", "list"), "queue"),
        (("query", "aggregates"), "table"),
        (("query", "decision", "e1"), "table"),
        (("query", "recommendations", "u1"), "table"),
        (("serve", "--port", "0"), "table"),
        (("models", "list", "fraud"), "bucket"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_is_missing_is_named_with_a_hint(arguments: tuple[str, ...], named: str, settings: Settings) -> None:
    said = _run(settings, *arguments)
    assert (said.returncode, said.stdout) == (1, ""), said.stderr
    line, hint = said.stderr.splitlines()[-2:]
    assert named in line
    assert settings.name in line
    assert hint.startswith("hint: ")


@pytest.fixture
def following(provisioned: Settings) -> Iterator[subprocess.Popen[str]]:
    """``clickstream tail --follow`` that has shown its first event."""
    assert _run(provisioned, "produce", "-", given=_events(1)).returncode == 0
    with subprocess.Popen(
        [*PROGRAM, "tail", "--follow", "--since", "TRIM_HORIZON"],
        env=environment(provisioned),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        assert json.loads(program.stdout.readline())["event_id"] == "e0"
        yield program
        program.kill()


def test_an_interrupted_command_says_nothing_and_exits_with_130(following: subprocess.Popen[str]) -> None:
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=30)
    assert (following.returncode, said.strip()) == (130, "")


def test_variables_mean_what_they_mean_to_the_aws_cli(provisioned: Settings) -> None:
    """One endpoint for all but Kinesis, whose own variable wins; the region by either of its names."""
    assert provisioned.endpoint_url is not None
    kinesis = provisioned.endpoint("kinesis")
    assert kinesis is not None
    given = {**environment(provisioned), "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_KINESIS": kinesis}
    del given["AWS_REGION"]
    given["AWS_DEFAULT_REGION"] = provisioned.region
    listed = subprocess.run([*PROGRAM, "shards", "list", "--json"], env=given, capture_output=True, text=True, check=False)
    assert listed.returncode == 0, listed.stderr
    asked = subprocess.run([*PROGRAM, "dlq", "list"], env=given, capture_output=True, text=True, check=False)
    assert asked.returncode == 1
    assert "http://127.0.0.1:1/" in asked.stderr
    elsewhere = subprocess.run(
        [*PROGRAM, "shards", "list"], env={**given, "AWS_REGION": "eu-central-1"}, capture_output=True, text=True, check=False
    )
    assert elsewhere.returncode == 1, "another region has no such stream"
