"""``clickstream applications`` over moto's shards table."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.consumers.commands import applications
from clickstream.errors import Missing, UserMistake
from clickstream.progress.shards_table import ShardsTable
from clickstream.settings import Settings
from tests.unit.serving import stores

SETTINGS = Settings()
SHADOW = "fraud-shadow-20261124T180000Z-0a1b2c3d"


@pytest.fixture
def table() -> Iterator[ShardsTable]:
    with mock_aws():
        clients = Clients(SETTINGS)
        stores.create(clients, SETTINGS)
        table, now_ms = ShardsTable(clients, SETTINGS), time.time_ns() // 1_000_000
        for number in range(2):
            table.take(SHADOW, f"shard-{number}", owner="w1", now_ms=now_ms - 60_000, hash_range="")
            table.take("analytics", f"shard-{number}", owner="w2", now_ms=now_ms, hash_range="")
        yield table


def run(*arguments: str) -> Result:
    return CliRunner().invoke(applications, arguments)


def states() -> dict[str, str]:
    return {each["application"]: each["state"] for each in json.loads(run("list", "--json").stdout)}


def test_what_is_over_is_retired_until_it_runs_again(table: ShardsTable) -> None:
    assert states() | {"fraud": "never run", "analytics": "running", SHADOW: "silent"} == states()
    assert run("retire", SHADOW).stderr == f"{SHADOW} is retired on 2 shards\n"
    assert states()[SHADOW] == "retired"
    lines = run("list").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].split()[:4] == [SHADOW, "retired", "2", "-"]
    table.take(SHADOW, "shard-0", owner="w3", now_ms=time.time_ns() // 1_000_000, hash_range="")
    assert states()[SHADOW] == "running"


def test_what_runs_is_not_retired(table: ShardsTable) -> None:
    refused = run("retire", "analytics").exception
    assert isinstance(refused, UserMistake)
    assert (str(refused), refused.hint) == (
        "analytics is running: w2 reads shard-0",
        "stop its workers first; one counts as stopped 12 s after its last word",
    )
    assert states()["analytics"] == "running"


def test_what_never_ran_is_not_retired(table: ShardsTable) -> None:
    assert isinstance(run("retire", "nothing").exception, Missing)
