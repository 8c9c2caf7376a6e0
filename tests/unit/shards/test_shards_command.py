"""``clickstream shards`` against moto: a dry run changes nothing, --apply does, refusals are one line with a hint."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from clickstream.errors import ClickstreamError, Missing, UserMistake
from clickstream.operating.commands import shards
from clickstream.settings import Settings

STREAM = Settings().stream


@pytest.fixture(autouse=True)
def stream() -> Iterator[None]:
    with mock_aws():
        boto3.client("kinesis", region_name=Settings().region).create_stream(StreamName=STREAM, ShardCount=2)
        yield


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(shards, arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def refused(*arguments: str) -> ClickstreamError:
    result = CliRunner().invoke(shards, arguments)
    assert isinstance(result.exception, ClickstreamError), result.output
    return result.exception


def open_ids() -> list[str]:
    return [row["id"][-1] for row in json.loads(run("list", "--json").stdout) if row["state"] == "open"]


def test_list_shows_the_shards() -> None:
    assert len(run("list").stdout.splitlines()) == 3
    assert [row["share"] for row in json.loads(run("list", "--json").stdout)] == [0.5, 0.5]
    assert run("list", "--graph").stdout.count("open") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("split", "0"), "would split shardId-000000000000 at 0x4"),
        (("merge", "0", "1"), "would merge shardId-000000000000 and shardId-000000000001 into 100.00%"),
        (("scale", "5"), "would scale from 2 to 4 open shards of 25.00% each\nwould scale from 4 to 5"),
    ],
)
def test_a_dry_run_changes_nothing_and_says_so(arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert said in result.stdout
    assert "dry run" in result.stderr
    assert open_ids() == ["0", "1"]
    outcome = json.loads(run(*arguments, "--json").stdout)
    assert outcome["applied"] is False
    assert [f"would {step}" for step in outcome["steps"]] == result.stdout.splitlines()


def test_a_split_at_a_hash_key() -> None:
    result = run("split", "shardId-000000000000", "--at", "0x100", "--apply", "--json")
    outcome = json.loads(result.stdout)
    assert outcome["applied"] is True
    assert next(row["last_hash_key"] for row in outcome["shards"] if row["parents"]) == "0" * 30 + "ff"
    assert open_ids() == ["1", "2", "3"]
    assert "done after" in result.stderr


def test_a_merge_shows_the_graph() -> None:
    tree = run("merge", "1", "0", "--apply").stdout
    assert "merged from shardId-000000000000 and shardId-000000000001" in tree
    assert tree.count("open") == 1


def test_shards_that_are_not_equal_are_scaled_by_way_of_one_more_and_told_if_they_stay_so() -> None:
    """moto is a Kinesis that does not make them equal."""
    run("split", "0", "--apply")
    assert run("scale", "3").stdout.count("would scale") == 2
    mistake = refused("scale", "3", "--apply")
    assert "3 shards that are not equal" in str(mistake)


def test_scaling_to_what_is_there_is_nothing_to_do() -> None:
    result = run("scale", "2", "--apply")
    assert "nothing to do" in result.stderr
    assert result.stdout.count("open") == 2


@pytest.mark.parametrize("at", ["nowhere", "-1", "0xg", str(2**128)])
def test_what_is_no_hash_key_is_wrong_usage(at: str) -> None:
    assert CliRunner().invoke(shards, ["split", "0", f"--at={at}"]).exit_code == 2


def test_refusals_are_told_with_a_hint() -> None:
    assert isinstance(refused("split", "7", "--apply"), Missing)
    run("scale", "4", "--apply")
    mistake = refused("split", "0")
    assert isinstance(mistake, UserMistake)
    assert "closed" in str(mistake)
    assert mistake.hint


@pytest.mark.parametrize("arguments", [["list"], ["split", "0"], ["scale", "3", "--apply"]])
def test_a_missing_stream_is_one_line_and_a_hint(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKSTREAM_NAME", "nothing")
    error = refused(*arguments)
    assert isinstance(error, Missing)
    assert "'nothing'" in str(error)
    assert error.hint
