"""``clickstream applications`` over moto's shards table."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.errors import Missing, UserMistake
from clickstream.progress.shards_table import ShardsTable
from clickstream.serving.applications import applications
from clickstream.settings import Settings
from tests.unit.serving import stores

SETTINGS = Settings()
SHADOW = "fraud-shadow-20261124T180000Z-0a1b2c3d"


@pytest.fixture(autouse=True)
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
    assert states() == {"analytics": "starting", SHADOW: "silent"}
    assert run("retire", SHADOW).stderr == f"{SHADOW} is retired on 2 shards\n"
    assert states()[SHADOW] == "retired"
    assert run("list").stdout.splitlines()[1].startswith(f"{SHADOW}: retired; last word 20")
    table.take(SHADOW, "shard-0", owner="w3", now_ms=time.time_ns() // 1_000_000, hash_range="")
    assert states()[SHADOW] == "starting"


def test_what_runs_is_not_retired(table: ShardsTable) -> None:
    refused = run("retire", "analytics").exception
    assert isinstance(refused, UserMistake)
    assert str(refused) == "analytics is running: worker w2 has just reported"
    assert refused.hint == "stop it, and ask again 12 s later"
    assert {row.retired_at for row in table.read("analytics")} == {0}


def test_what_never_ran_is_not_retired() -> None:
    assert isinstance(run("retire", "nothing").exception, Missing)
