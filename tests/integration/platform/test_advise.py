"""``clickstream shards advise`` against the embedded Kinesis: a hot shard is found, and divided where its keys are."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from threading import Event, Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from clickstream.aws import Clients
from clickstream.cli import cli
from clickstream.operating import autoscaler
from clickstream.operating.observing import look
from clickstream.platform import SHARDS
from clickstream.records.kinesis import list_shards
from clickstream.records.routing import hash_key
from clickstream.settings import Settings, environment

pytestmark = pytest.mark.integration

WINDOW_S = 6.0


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


@pytest.fixture
def hot(provisioned: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """One of two shards gets nearly all there is, from 40 keys, for as long as the test takes."""
    for name, value in environment(provisioned).items():
        monkeypatch.setenv(name, value)
    kinesis = Clients(provisioned).kinesis
    keys = [f"u-{n}" for n in range(400)]
    hot = [key for key in keys if hash_key(key)[0] < 0x80][:40]
    cold = [key for key in keys if hash_key(key)[0] >= 0x80][:40]
    records: list[Any] = [{"Data": b"x" * 20_000, "PartitionKey": key} for key in hot]
    records += [{"Data": b"x", "PartitionKey": key} for key in cold]
    enough = Event()

    def put() -> None:
        while not enough.wait(1.1):  # the shard's own limit: 1 MB in a second
            kinesis.put_records(StreamName=provisioned.stream, Records=records)

    thread = Thread(target=put)
    thread.start()
    try:
        yield provisioned
    finally:
        enough.set()
        thread.join()


@pytest.fixture
def polled(hot: Settings) -> Settings:
    """Eight applications read it by polling, so that a shard carries 250 kB/s: a busy machine can put that, too."""
    dynamodb = Clients(hot).dynamodb
    now = {"N": str(time.time_ns() // 1_000_000)}
    for application in range(8):
        for shard in list_shards(Clients(hot).kinesis, hot.stream):
            item: dict[str, Any] = {
                "application": {"S": f"a{application}"},
                "shard": {"S": shard.shard_id},
                "owner": {"S": "w"},
            }
            dynamodb.put_item(TableName=SHARDS.of(hot), Item=item | {"behind_ms": {"N": "0"}, "updated_at": now})
    time.sleep(WINDOW_S)  # the window shall be full: the rates that a look finds are by the clock
    return hot


def test_a_hot_shard_is_divided_by_its_keys(polled: Settings) -> None:
    kinesis = Clients(polled).kinesis
    dry = json.loads(invoke("shards", "advise", "--window", str(WINDOW_S), "--json").stdout)
    # what it says of the readers is not looked at: they are made up, and fall silent
    (split,) = (each for each in dry["advice"] if each["applies"])
    assert split["what"].startswith("split shardId-000000000000 at ")
    assert len(list_shards(kinesis, polled.stream)) == 2


def test_applying_it_splits_the_shard(polled: Settings) -> None:
    done = invoke("shards", "advise", "--window", str(WINDOW_S), "--apply", "--json")
    assert json.loads(done.stdout)["applied"] is True
    shards = list_shards(Clients(polled).kinesis, polled.stream)
    assert [shard.shard_id for shard in shards if not shard.is_open] == ["shardId-000000000000"]
    parent, lower, upper = shards[0], shards[2], shards[3]
    keys = [hash_key(f"u-{n}") for n in range(400)]
    keys = [key for key in keys if key in parent.hash_range][:40]
    assert sum(key in lower.hash_range for key in keys) == sum(key in upper.hash_range for key in keys) == 20


@pytest.mark.parametrize("may", [False, True])
def test_the_auto_scaler_takes_the_same_advice_if_it_may(polled: Settings, may: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKSTREAM_AUTOSCALE", str(may).lower())
    monkeypatch.setattr(autoscaler, "look", partial(look, window_s=WINDOW_S))  # its own is 30 s, which a test need not wait for
    answer = autoscaler.handler({}, None)
    (split,) = (each["what"] for each in answer["advice"] if each["applies"])
    assert answer["applied"] == (split if may else None)
    assert any(not shard.is_open for shard in list_shards(Clients(polled).kinesis, polled.stream)) == may
