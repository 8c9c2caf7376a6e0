"""A stream's life: made, described, listed, tuned, tagged, deleted."""

from __future__ import annotations

import pytest

from tests.contract.conftest import NewStream
from tests.contract.target import HASH_SPACE, Target, hash_range, new_name, partitions_the_hash_space, until

pytestmark = pytest.mark.contract


def summary_of(kinesis: Target, stream: str) -> dict[str, object]:
    return dict(kinesis.client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"])


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_new_shards_are_uniform(kinesis: Target, new_stream: NewStream, count: int) -> None:
    shards = kinesis.open_shards(new_stream(count))

    assert [shard["ShardId"] for shard in shards] == [f"shardId-{index:012}" for index in range(count)]
    assert partitions_the_hash_space(shards)
    starts = [hash_range(shard)[0] for shard in shards]
    uniform = "floor(i * 2^128 / n)" if starts == [index * HASH_SPACE // count for index in range(count)] else None
    short = "floor((2^128 - 1) / n) keys each"
    if starts == [index * ((HASH_SPACE - 1) // count) for index in range(count)]:
        uniform = uniform or short
    kinesis.observe(f"new-shards.start.{count}", uniform, "floor(i * 2^128 / n)")


def test_summary(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(2)

    summary = summary_of(kinesis, stream)

    assert summary["StreamName"] == stream
    assert str(summary["StreamARN"]).endswith(f":stream/{stream}")
    assert summary["StreamStatus"] == "ACTIVE"
    assert summary["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    assert summary["RetentionPeriodHours"] == 24
    assert summary["OpenShardCount"] == 2
    assert summary["ConsumerCount"] == 0
    assert summary["EncryptionType"] == "NONE"
    assert summary["EnhancedMonitoring"] == [{"ShardLevelMetrics": []}]


def test_description_in_pages(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(3)

    first = kinesis.client.describe_stream(StreamName=stream, Limit=2)["StreamDescription"]
    rest = kinesis.client.describe_stream(StreamName=stream, ExclusiveStartShardId="shardId-000000000001")

    assert [shard["ShardId"][-1] for shard in first["Shards"]] == ["0", "1"]
    assert first["HasMoreShards"] is True
    assert [shard["ShardId"][-1] for shard in rest["StreamDescription"]["Shards"]] == ["2"]
    assert rest["StreamDescription"]["HasMoreShards"] is False


def test_arn_stands_for_the_name(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(1)
    arn = str(summary_of(kinesis, stream)["StreamARN"])

    put = kinesis.client.put_record(StreamARN=arn, PartitionKey="k", Data=b"by arn")
    iterator = kinesis.client.get_shard_iterator(StreamARN=arn, ShardId=put["ShardId"], ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]

    assert [record["Data"] for record in kinesis.read(iterator, 1)] == [b"by arn"]


def test_list_streams_in_pages(kinesis: Target, new_stream: NewStream) -> None:
    made = sorted(new_stream(1) for _ in range(3))

    listed: list[str] = []
    page = kinesis.client.list_streams(Limit=2)
    while page["HasMoreStreams"]:
        assert len(page["StreamNames"]) == 2
        listed += page["StreamNames"]
        page = kinesis.client.list_streams(Limit=2, ExclusiveStartStreamName=listed[-1])
    listed += page["StreamNames"]

    assert set(made) <= set(listed)
    assert listed == sorted(set(listed))


def test_deleted_stream_is_gone_and_its_name_is_free(kinesis: Target) -> None:
    stream = kinesis.create(1)
    kinesis.client.put_record(StreamName=stream, PartitionKey="k", Data=b"old")

    def gone() -> bool:
        return kinesis.refusal("describe_stream_summary", StreamName=stream) == "ResourceNotFoundException"

    kinesis.client.delete_stream(StreamName=stream)
    until(gone, f"{stream} to go")
    kinesis.client.create_stream(StreamName=stream, ShardCount=1)
    kinesis.until_active(stream)

    assert kinesis.read(kinesis.iterator(stream, "shardId-000000000000"), 0) == []
    kinesis.delete(stream)


def test_retention(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(1)
    longer, shorter = "increase_stream_retention_period", "decrease_stream_retention_period"

    assert kinesis.refusal(longer, StreamName=stream, RetentionPeriodHours=48) is None
    kinesis.until_active(stream)
    assert summary_of(kinesis, stream)["RetentionPeriodHours"] == 48
    assert kinesis.refusal(longer, StreamName=stream, RetentionPeriodHours=47) == "InvalidArgumentException"
    assert kinesis.refusal(shorter, StreamName=stream, RetentionPeriodHours=49) == "InvalidArgumentException"
    too_long = kinesis.refusal(longer, StreamName=stream, RetentionPeriodHours=8761)
    kinesis.observe("retention.over-a-year", too_long, "InvalidArgumentException")
    too_short = kinesis.refusal(shorter, StreamName=stream, RetentionPeriodHours=23)
    kinesis.observe("retention.under-a-day", too_short, "InvalidArgumentException")
    assert kinesis.refusal(shorter, StreamName=stream, RetentionPeriodHours=24) is None
    kinesis.until_active(stream)
    assert summary_of(kinesis, stream)["RetentionPeriodHours"] == 24


def test_tags(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(1)

    kinesis.client.add_tags_to_stream(StreamName=stream, Tags={"team": "data", "stage": "test"})
    kinesis.client.add_tags_to_stream(StreamName=stream, Tags={"stage": "prod"})
    kinesis.client.remove_tags_from_stream(StreamName=stream, TagKeys=["team", "never-set"])
    answer = kinesis.client.list_tags_for_stream(StreamName=stream)

    assert answer["Tags"] == [{"Key": "stage", "Value": "prod"}]
    assert answer["HasMoreTags"] is False


def test_tags_by_arn(kinesis: Target, new_stream: NewStream) -> None:
    """What terraform's and CloudFormation's stream resources call."""
    arn = str(summary_of(kinesis, new_stream(1))["StreamARN"])

    kinesis.client.tag_resource(ResourceARN=arn, Tags={"team": "data", "stage": "test"})
    kinesis.client.untag_resource(ResourceARN=arn, TagKeys=["team"])

    assert kinesis.client.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "stage", "Value": "test"}]


def test_created_with_tags(kinesis: Target) -> None:
    stream = new_name()
    kinesis.client.create_stream(StreamName=stream, ShardCount=1, Tags={"team": "data"})
    kinesis.until_active(stream)

    tags = kinesis.client.list_tags_for_stream(StreamName=stream)["Tags"]

    assert tags == [{"Key": "team", "Value": "data"}]
    kinesis.delete(stream)


def test_created_on_demand(kinesis: Target) -> None:
    stream = new_name()
    kinesis.client.create_stream(StreamName=stream, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    kinesis.until_active(stream)

    assert summary_of(kinesis, stream)["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert len(kinesis.open_shards(stream)) == 4
    kinesis.delete(stream)


def test_capacity_mode(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(1)
    arn = str(summary_of(kinesis, stream)["StreamARN"])

    kinesis.client.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    kinesis.until_active(stream)

    assert summary_of(kinesis, stream)["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}


def test_encryption(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(1)
    key = {"StreamName": stream, "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}

    assert kinesis.refusal("start_stream_encryption", **key) is None
    kinesis.until_active(stream)
    assert summary_of(kinesis, stream)["EncryptionType"] == "KMS"
    assert summary_of(kinesis, stream)["KeyId"] == "alias/aws/kinesis"
    assert kinesis.refusal("stop_stream_encryption", **key) is None
    kinesis.until_active(stream)
    assert summary_of(kinesis, stream)["EncryptionType"] == "NONE"


def test_enhanced_monitoring(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(1)

    on = kinesis.client.enable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["IncomingBytes"])
    assert (on["CurrentShardLevelMetrics"], on["DesiredShardLevelMetrics"]) == ([], ["IncomingBytes"])
    assert summary_of(kinesis, stream)["EnhancedMonitoring"] == [{"ShardLevelMetrics": ["IncomingBytes"]}]
    off = kinesis.client.disable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["IncomingBytes"])
    assert (off["CurrentShardLevelMetrics"], off["DesiredShardLevelMetrics"]) == (["IncomingBytes"], [])


def test_limits_count_open_shards(kinesis: Target, new_stream: NewStream) -> None:
    before = kinesis.client.describe_limits()
    new_stream(2)
    after = kinesis.client.describe_limits()

    assert after["OpenShardCount"] == before["OpenShardCount"] + 2
    assert after["ShardLimit"] == before["ShardLimit"]
