"""ListShards over several pages, as Kinesis wants them asked for: the token alone."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.stub import Stubber

from clickstream.records.kinesis import list_shards


def page(number: int, *, more: bool) -> dict[str, Any]:
    shard = {
        "ShardId": f"shardId-{number:012d}",
        "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "9"},
        "SequenceNumberRange": {"StartingSequenceNumber": "1"},
    }
    return {"Shards": [shard], **({"NextToken": f"after {number}"} if more else {})}


def test_the_next_page_is_asked_for_by_its_token_alone() -> None:
    client = boto3.client("kinesis", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    with Stubber(client) as stubber:
        stubber.add_response("list_shards", page(0, more=True), {"StreamName": "shop"})
        stubber.add_response("list_shards", page(1, more=True), {"NextToken": "after 0"})
        stubber.add_response("list_shards", page(2, more=False), {"NextToken": "after 1"})
        shards = list_shards(client, "shop")
        stubber.assert_no_pending_responses()
    assert [shard.shard_id[-1] for shard in shards] == ["0", "1", "2"]
