"""A stream that was deleted and made again under its name is told apart from the one that was read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.cli import cli
from clickstream.consumers.runtime.state import streams
from clickstream.consumers.runtime.worker import leases
from clickstream.errors import UserMistake
from clickstream.infra.local import resources
from clickstream.load.verdict import progress
from clickstream.platform import SHARDS, STATE
from clickstream.records.kinesis import list_shards
from clickstream.settings import Settings

FIRST = datetime.fromisoformat("2026-11-30T07:00:00.123+00:00")
SECOND = datetime.fromisoformat("2026-11-30T07:00:00.124+00:00")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Clients]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("CLICKSTREAM_LOCAL_DIR", str(tmp_path))
    with mock_aws():
        clients = Clients(Settings())
        resources.create(clients, Settings(), shards=2)
        yield clients


def test_the_same_stream_is_known_again_and_another_of_its_name_is_not(aws: Clients) -> None:
    for _ in range(2):
        streams.recognise("analytics", FIRST, aws, Settings())
    streams.recognise("fraud", SECOND, aws, Settings())
    for _ in range(2):
        with pytest.raises(UserMistake, match="snapshots of analytics belong to the one of 2026-11-30 07:00:00 UTC") as caught:
            streams.recognise("analytics", SECOND, aws, Settings())
        assert "clickstream worker analytics --forget" in caught.value.hint


def test_what_is_forgotten_is_this_applications_knowledge_of_the_stream_and_nothing_else(aws: Clients) -> None:
    settings = Settings()
    for application in ("analytics", "fraud"):
        streams.recognise(application, FIRST, aws, settings)
        leases.prepare(settings.application(application), "w", list_shards(aws.kinesis, settings.stream), aws)
        for shard in ("shardId-000000000000", "shardId-000000000001"):
            aws.s3.put_object(Bucket=STATE.of(settings), Key=f"{application}/{shard}/1.full", Body=b"")
            key = {"application": {"S": application}, "shard": {"S": shard}}
            aws.dynamodb.put_item(TableName=SHARDS.of(settings), Item={**key, "epoch": {"N": "3"}})
    result = CliRunner().invoke(cli, ["worker", "analytics", "--forget"], standalone_mode=False)
    assert (result.return_value, result.stderr) == (0, "analytics has forgotten 2 shards and begins anew\n")
    assert progress.read(aws.dynamodb, settings, "analytics") == []
    assert len(progress.read(aws.dynamodb, settings, "fraud")) == 2
    assert aws.dynamodb.scan(TableName=settings.application("analytics"))["Items"] == []
    assert len(aws.dynamodb.scan(TableName=settings.application("fraud"))["Items"]) == 2
    kept = aws.s3.list_objects_v2(Bucket=STATE.of(settings))["Contents"]
    assert {entry["Key"].split("/")[0] for entry in kept} == {"fraud"}
    streams.recognise("analytics", SECOND, aws, settings)


def test_what_never_ran_can_be_forgotten(aws: Clients) -> None:
    assert streams.forget("orders", aws, Settings()) == 0
