"""What other people's test suites expect of AWS, and this server answered otherwise: one test each."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

import pytest

from clickstream.infra.local.kinesis.http.app import KinesisApp
from clickstream.infra.local.kinesis.model.settings import ModelSettings
from clickstream.infra.local.kinesis.regions import Regions

NOW_MS = 1_700_000_000_000
SIGNED = "AWS4-HMAC-SHA256 Credential=key/20261130/{region}/kinesis/aws4_request"
STREAM = "clicks"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def error(self) -> str | None:
        return self.body.get("__type") if isinstance(self.body, dict) else None


class Server:
    """The server's own application, without a socket."""

    def __init__(self, settings: ModelSettings | None = None) -> None:
        self._app = KinesisApp(Regions(settings or ModelSettings()), clock=lambda: NOW_MS)

    def call(self, operation: str, region: str = "us-east-1", /, **members: Any) -> Answer:
        headers = {
            "x-amz-target": f"Kinesis_20131202.{operation}",
            "content-type": "application/x-amz-json-1.1",
            "authorization": SIGNED.format(region=region),
        }
        return self.send("POST", headers, json.dumps(members).encode())

    def send(self, method: str, headers: dict[str, str], body: bytes = b"", query: str = "") -> Answer:
        sent: list[dict[str, Any]] = []

        async def run() -> None:
            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": body}

            async def send(message: Any) -> None:
                sent.append(message)

            scope = {
                "type": "http",
                "method": method,
                "path": "/",
                "query_string": query.encode(),
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
            await self._app(scope, receive, send)

        asyncio.run(run())
        start, answered = sent
        names = {name.decode(): value.decode() for name, value in start["headers"]}
        content = answered["body"]
        is_json = "json" in names["content-type"] and content
        return Answer(start["status"], names, json.loads(content) if is_json else content.decode())


@pytest.fixture
def server() -> Server:
    server = Server()
    assert server.call("CreateStream", StreamName=STREAM, ShardCount=2).status == 200
    return server


def arn(server: Server) -> str:
    found = server.call("DescribeStreamSummary", StreamName=STREAM)
    return str(found.body["StreamDescriptionSummary"]["StreamARN"])


def put(server: Server, **more: Any) -> Answer:
    return server.call("PutRecord", StreamName=STREAM, PartitionKey="k", Data="eA==", **more)


def iterator(server: Server, kind: str = "TRIM_HORIZON", shard: str = "shardId-000000000000", **more: Any) -> Answer:
    return server.call("GetShardIterator", StreamName=STREAM, ShardId=shard, ShardIteratorType=kind, **more)


def stored(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for shard in ("shardId-000000000000", "shardId-000000000001"):
        started = iterator(server, shard=shard).body["ShardIterator"]
        found += server.call("GetRecords", ShardIterator=started).body["Records"]
    return found


def test_a_dry_run_does_nothing(server: Server) -> None:
    entry = {"PartitionKey": "k", "Data": "eA=="}
    started = iterator(server).body["ShardIterator"]
    answers = [
        put(server, DryRun=True),
        server.call("PutRecords", StreamName=STREAM, Records=[entry], DryRun=True),
        iterator(server, DryRun=True),
        server.call("GetRecords", ShardIterator=started, DryRun=True),
    ]
    assert [answer.error for answer in answers] == ["DryRunOperationException"] * 4
    assert stored(server) == []
    refused = server.call("PutRecord", StreamName=STREAM, PartitionKey="", Data="eA==", DryRun=True)
    assert refused.error == "ValidationException", "what would fail says how"


def test_a_dry_subscription_opens_none(server: Server) -> None:
    consumer = server.call("RegisterStreamConsumer", StreamARN=arn(server), ConsumerName="c").body["Consumer"]
    for _ in range(2):  # an open one would refuse a second within five seconds
        answer = server.call(
            "SubscribeToShard",
            ConsumerARN=consumer["ConsumerARN"],
            ShardId="shardId-000000000000",
            StartingPosition={"Type": "LATEST"},
            DryRun=True,
        )
        assert answer.error == "DryRunOperationException"


def test_a_token_goes_on_where_it_came_from_alone(server: Server) -> None:
    assert server.call("CreateStream", StreamName="second", ShardCount=1).status == 200
    token = server.call("ListStreams", Limit=1).body["NextToken"]
    for operation, members in (("ListShards", {}), ("ListStreamConsumers", {"StreamARN": arn(server)})):
        assert server.call(operation, NextToken=token, **members).error == "InvalidArgumentException"
    assert server.call("ListStreams", NextToken=token).body["StreamNames"] == ["second"]


def test_an_endless_shard_id_is_refused(server: Server) -> None:
    chosen = {"Type": "AFTER_SHARD_ID", "ShardId": "shardId-" + "9" * 5_000}
    assert server.call("ListShards", StreamName=STREAM, ShardFilter=chosen).error == "ValidationException"
    assert server.call("ListShards", StreamName=STREAM, ShardFilter={"Type": None}).error == "ValidationException"


@pytest.mark.parametrize("tags", [{"aws:mine": "x"}, {"AWS:mine": "x"}, {"price<": "1"}, {"fine": "a;b"}])
def test_bad_tags_change_nothing(server: Server, tags: dict[str, str]) -> None:
    assert server.call("RegisterStreamConsumer", StreamARN=arn(server), ConsumerName="c", Tags=tags).status == 400
    assert server.call("ListStreamConsumers", StreamARN=arn(server)).body["Consumers"] == []
    assert server.call("CreateStream", StreamName="tagged", ShardCount=1, Tags=tags).error == "InvalidArgumentException"
    assert server.call("ListStreams").body["StreamNames"] == [STREAM]
    good = {"team/a": "x_y.z:=+-@ %"}
    assert server.call("AddTagsToStream", StreamName=STREAM, Tags=good).status == 200


def test_a_policy_that_is_not_there(server: Server) -> None:
    assert server.call("GetResourcePolicy", ResourceARN=arn(server)).body == {}
    assert server.call("DeleteResourcePolicy", ResourceARN=arn(server)).error == "ResourceNotFoundException"
    assert server.call("PutResourcePolicy", ResourceARN=arn(server), Policy="[]").error == "InvalidArgumentException"


def test_a_name_alone_makes_four_shards(server: Server) -> None:
    assert server.call("CreateStream", StreamName="plain").status == 200
    assert len(server.call("ListShards", StreamName="plain").body["Shards"]) == 4


def test_a_record_keeps_the_encryption_it_was_put_with(server: Server) -> None:
    put(server)
    server.call("StartStreamEncryption", StreamName=STREAM, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    put(server)
    server.call("StopStreamEncryption", StreamName=STREAM, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    assert [record.get("EncryptionType") for record in stored(server)] == [None, "KMS"]


def test_pages_are_bounded() -> None:
    server = Server(ModelSettings(shard_quota=5_000))
    assert server.call("CreateStream", StreamName=STREAM, ShardCount=1_100).status == 200
    described = server.call("DescribeStream", StreamName=STREAM, Limit=10_000).body["StreamDescription"]
    assert len(described["Shards"]) == 100
    assert described["HasMoreShards"]
    listed = server.call("ListShards", StreamName=STREAM, MaxResults=10_000).body
    assert len(listed["Shards"]) == 1_000
    for number in range(101):
        server.call("CreateStream", StreamName=f"s{number}", ShardCount=1)
    assert len(server.call("ListStreams", Limit=10_000).body["StreamNames"]) == 100


@pytest.mark.parametrize("name", ["0", "shardId-0", "shardId-000000000000"])
def test_short_shard_ids_are_found(server: Server, name: str) -> None:
    assert iterator(server, shard=name).status == 200


@pytest.mark.parametrize("kind", ["LATEST", "TRIM_HORIZON"])
def test_an_edge_takes_no_number(server: Server, kind: str) -> None:
    number = put(server).body["SequenceNumber"]
    assert iterator(server, kind, StartingSequenceNumber=number).error == "InvalidArgumentException"


def test_a_consumer_named_in_two_ways(server: Server) -> None:
    first = server.call("RegisterStreamConsumer", StreamARN=arn(server), ConsumerName="a").body["Consumer"]
    server.call("RegisterStreamConsumer", StreamARN=arn(server), ConsumerName="b")
    conflicting = {"ConsumerARN": first["ConsumerARN"], "StreamARN": arn(server), "ConsumerName": "b"}
    assert server.call("DeregisterStreamConsumer", **conflicting).error == "InvalidArgumentException"
    both = server.call("ListStreamConsumers", StreamARN=arn(server)).body["Consumers"]
    assert [each["ConsumerStatus"] for each in both] == ["ACTIVE", "ACTIVE"]


def test_consumers_of_an_earlier_stream(server: Server) -> None:
    answer = server.call("ListStreamConsumers", StreamARN=arn(server), StreamCreationTimestamp=1.0)
    assert answer.error == "ResourceInUseException"


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_other_partitions(region: str, partition: str) -> None:
    server = Server()
    assert server.call("CreateStream", region, StreamName=STREAM, ShardCount=1).status == 200
    found = server.call("DescribeStreamSummary", region, StreamName=STREAM).body["StreamDescriptionSummary"]["StreamARN"]
    assert found.startswith(f"arn:{partition}:kinesis:{region}:")
    assert server.call("ListShards", region, StreamARN=found).status == 200


def test_warm_throughput_needs_a_commitment(server: Server) -> None:
    assert server.call("CreateStream", StreamName="od", StreamModeDetails={"StreamMode": "ON_DEMAND"}).status == 200
    warm = {"StreamName": "od", "WarmThroughputMiBps": 100}
    assert server.call("UpdateStreamWarmThroughput", **warm).error == "ValidationException"
    commitment = {"MinimumThroughputBillingCommitment": {"Status": "ENABLED"}}
    assert server.call("UpdateAccountSettings", **commitment).status == 200
    assert server.call("UpdateStreamWarmThroughput", **warm).body["WarmThroughput"]["TargetMiBps"] == 100
    assert server.call("UpdateStreamWarmThroughput", StreamName=STREAM, WarmThroughputMiBps=1).error == "ValidationException"
    settings = server.call("DescribeAccountSettings").body["MinimumThroughputBillingCommitment"]
    assert settings["Status"] == "ENABLED"


def test_a_distribution_strategy_is_kept(server: Server) -> None:
    chosen = {"StreamName": STREAM, "RecordDistributionStrategy": "USER_PARTITION_KEY"}
    assert server.call("UpdateStreamRecordDistributionStrategy", **chosen).status == 200
    summary = server.call("DescribeStreamSummary", StreamName=STREAM).body["StreamDescriptionSummary"]
    assert summary["RecordDistributionStrategy"] == "USER_PARTITION_KEY"
    wrong = {**chosen, "RecordDistributionStrategy": "SOMEHOW"}
    assert server.call("UpdateStreamRecordDistributionStrategy", **wrong).error == "ValidationException"


def test_all_violations_at_once(server: Server) -> None:
    assert put(server, SequenceNumberForOrdering="").error == "ValidationException"
    answer = server.call("PutRecord", StreamName=STREAM, SequenceNumberForOrdering="x")
    assert "3 validation errors detected" in answer.body["message"]
    null = server.call("GetShardIterator", StreamName=STREAM, ShardId="0", ShardIteratorType=None)
    assert "Value null at 'shardIteratorType'" in null.body["message"]


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("RegisterStreamConsumer", "StreamARN"),
        ("ListStreamConsumers", "StreamARN"),
        ("ListTagsForResource", "ResourceARN"),
        ("GetResourcePolicy", "ResourceARN"),
        ("UpdateStreamMode", "StreamARN"),
    ],
)
def test_a_name_is_no_arn(server: Server, operation: str, member: str) -> None:
    members = {"ConsumerName": "c", "StreamModeDetails": {"StreamMode": "PROVISIONED"}, member: STREAM}
    assert server.call(operation, **members).error == "ValidationException"


def test_what_cannot_be_read(server: Server) -> None:
    headers = {
        "x-amz-target": "Kinesis_20131202.ListStreams",
        "content-type": "application/x-amz-json-1.1",
        "authorization": SIGNED.format(region="us-east-1"),
    }
    for body in (b"", b"{", b"[]"):
        answer = server.send("POST", headers, body)
        assert answer.error == "SerializationException"
        assert "Message" in answer.body
    assert server.send("POST", {**headers, "content-type": "text/csv"}, b"{}").status == 404


def test_a_browser_may_ask_and_call(server: Server) -> None:
    asked = {
        "origin": "https://shop.example",
        "access-control-request-headers": "authorization,x-amz-target",
        "access-control-request-method": "POST",
    }
    answer = server.send("OPTIONS", asked)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == "authorization,x-amz-target"
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert server.send("GET", {}).status == 403


def test_a_signature_in_the_query(server: Server) -> None:
    headers = {"x-amz-target": "Kinesis_20131202.ListStreams", "content-type": "application/x-amz-json-1.1"}
    query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=key%2F20261130%2Fus-east-1%2Fkinesis%2Faws4_request"
    answer = server.send("POST", headers, b"{}", query)
    assert answer.body["StreamNames"] == [STREAM]
    assert answer.headers["x-amz-id-2"]
    twice = server.send("POST", {**headers, "authorization": SIGNED.format(region="us-east-1")}, b"{}", query)
    assert twice.error == "InvalidSignatureException"
    assert server.send("POST", headers, b"{}").error == "MissingAuthenticationTokenException"
