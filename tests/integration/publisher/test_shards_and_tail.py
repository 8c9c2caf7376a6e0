"""``clickstream shards`` against a server that enforces AWS's limits; under load, with ``clickstream tail`` beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.producers.publisher.limits import Limits
from clickstream.settings import Settings, environment
from tests.integration.publisher.test_produce_tail import by_user, clickstream, login

pytestmark = pytest.mark.integration


def shards(settings: Settings, *arguments: str) -> Any:
    """What ``clickstream shards … --json`` says."""
    done = clickstream(settings, "shards", *arguments, "--json")
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def open_ids(settings: Settings) -> list[str]:
    found = [row for row in shards(settings, "list") if row["state"] == "open"]
    return [row["id"] for row in sorted(found, key=lambda row: row["first_hash_key"])]


def test_the_life_of_a_stream_by_commands(settings: Settings, kinesis: Any) -> None:
    first, second = open_ids(settings)
    assert clickstream(settings, "shards", "split", first).stdout.startswith(b"would split")
    assert open_ids(settings) == [first, second]

    shards(settings, "split", first, "--apply")
    lower, upper, _ = open_ids(settings)
    stranger = clickstream(settings, "shards", "merge", lower, second, "--apply")
    assert stranger.returncode == 1
    assert stranger.stderr.decode().splitlines()[-2:] == [
        f"clickstream: {lower} and {second} are not neighbours: only shards whose hash ranges touch can be merged",
        f"hint: {lower} can be merged with {upper}",
    ]
    merged = clickstream(settings, "shards", "merge", second, upper, "--apply")
    assert merged.returncode == 0, merged.stderr.decode()
    assert f"merged from {upper} and {second}".encode() in merged.stdout

    # the server refuses more than double and less than half in one call
    with pytest.raises(kinesis.exceptions.InvalidArgumentException):
        kinesis.update_shard_count(StreamName=settings.stream, TargetShardCount=8, ScalingType="UNIFORM_SCALING")
    assert len(shards(settings, "scale", "8", "--apply")["steps"]) == 2
    assert len(open_ids(settings)) == 8
    outcome = shards(settings, "scale", "3", "--apply")
    assert [step.split()[4] for step in outcome["steps"]] == ["4", "3"]
    assert len(open_ids(settings)) == 3


@contextmanager
def load(settings: Settings, lines: list[bytes]) -> Iterator[None]:
    """A publisher at work, until everything that it was given has arrived; ``lines`` collects that."""
    stop = threading.Event()

    def put() -> None:
        while not stop.wait(0.005):
            for _ in range(10):
                line = login(len(lines) * 7919 % 101, len(lines))
                lines.append(line)
                publisher.put_raw(json.loads(line)["user_id"], line)

    with KinesisPublisher(settings, Limits(pack_bytes=4_096, linger=0.02)) as publisher:
        thread = threading.Thread(target=put)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        publisher.flush(30)
        assert publisher.counters.reput > 0, "no reshard overtook an aggregate"


def test_tail_follows_splits_merges_and_scaling_under_load(settings: Settings, kinesis: Any) -> None:
    lines: list[bytes] = []
    shown: list[bytes] = []
    command = [sys.executable, "-m", "clickstream.cli", "tail", "--since", "TRIM_HORIZON", "--follow"]
    with subprocess.Popen(command, env=environment(settings), stdout=subprocess.PIPE) as tail:
        assert tail.stdout is not None
        reader = threading.Thread(target=lambda: shown.extend(line.rstrip(b"\n") for line in tail.stdout or ()))
        reader.start()
        try:
            with load(settings, lines):
                shards(settings, "split", "0", "--apply")
                lower, upper, *_ = open_ids(settings)
                shards(settings, "merge", upper, lower, "--apply")
                shards(settings, "scale", "3", "--apply")
            done = threading.Event()
            for _ in range(300):
                if len(shown) >= len(lines) or done.wait(0.1):
                    break
        finally:
            tail.terminate()
            reader.join(10)
    assert len(shown) == len(lines)
    assert by_user(shown) == by_user(lines)
