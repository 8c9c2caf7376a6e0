"""The Java SDK's dialect, AWS JSON 1.1 in CBOR: blobs are bytes, times are whole milliseconds."""

from __future__ import annotations

import base64
import http.client
import time
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.contract.conftest import NewStream
from tests.contract.target import Target, hash_key, home

pytestmark = pytest.mark.contract

CBOR = "application/x-amz-cbor-1.1"
EPOCH_TAG = 1
DATA = bytes(range(256))


def call(kinesis: Target, operation: str, **parameters: object) -> tuple[int, Any]:
    """Status and decoded body of one signed CBOR request."""
    body = cbor2.dumps(parameters)
    headers = {"X-Amz-Target": f"Kinesis_20131202.{operation}", "Content-Type": CBOR}
    request = AWSRequest(method="POST", url=f"{kinesis.server.endpoint}/", data=body, headers=headers)
    SigV4Auth(Credentials("contract", "contract"), "kinesis", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", kinesis.server.port, timeout=20)
    try:
        connection.request("POST", "/", body=body, headers=dict(request.headers))
        answer = connection.getresponse()
        assert answer.getheader("Content-Type") == CBOR
        return answer.status, cbor2.loads(answer.read(), semantic_decoders={EPOCH_TAG: keep_tag})
    finally:
        connection.close()


def milliseconds(value: object) -> int:
    """A CBOR timestamp: whole milliseconds, bare or under the tag for times."""
    if isinstance(value, cbor2.CBORTag):
        assert value.tag == EPOCH_TAG
        value = value.value
    assert isinstance(value, int)
    return value


def keep_tag(value: object, _immutable: bool) -> cbor2.CBORTag:
    """Against the standard, under which a time's number is in seconds."""
    return cbor2.CBORTag(EPOCH_TAG, value)


@pytest.fixture(scope="module")
def stream(new_stream: NewStream) -> str:
    return new_stream(2)


def test_put_list_and_get(kinesis: Target, stream: str) -> None:
    before = time.time_ns() // 1_000_000
    status, put = call(kinesis, "PutRecord", StreamName=stream, PartitionKey="a", Data=DATA)
    assert status == 200
    status, batch = call(
        kinesis,
        "PutRecords",
        StreamName=stream,
        Records=[{"PartitionKey": "a", "Data": DATA}, {"PartitionKey": "a", "Data": b""}],
    )
    assert (status, batch["FailedRecordCount"]) == (200, 0)
    assert put["ShardId"] == home(kinesis.open_shards(stream), hash_key("a"))

    status, listed = call(kinesis, "ListShards", StreamName=stream)
    assert status == 200
    assert [shard["ShardId"] for shard in listed["Shards"]] == list(kinesis.shards(stream))
    status, start = call(
        kinesis, "GetShardIterator", StreamName=stream, ShardId=put["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )
    assert status == 200
    status, page = call(kinesis, "GetRecords", ShardIterator=start["ShardIterator"])
    after = time.time_ns() // 1_000_000

    assert status == 200
    for record, data in zip(page["Records"], (DATA, DATA, b""), strict=True):
        kinesis.observe("cbor.get-records.data", type(record["Data"]).__name__, "bytes")
        assert (record["Data"] if isinstance(record["Data"], bytes) else base64.b64decode(record["Data"])) == data
    numbers = [put["SequenceNumber"], *(entry["SequenceNumber"] for entry in batch["Records"])]
    assert [record["SequenceNumber"] for record in page["Records"]] == numbers
    arrivals = [milliseconds(record["ApproximateArrivalTimestamp"]) for record in page["Records"]]
    assert all(before <= arrival <= after for arrival in arrivals)
    assert isinstance(page["MillisBehindLatest"], int)


@pytest.mark.parametrize("tagged", [True, False], ids=["tagged", "bare"])
def test_a_timestamp_in_a_request_is_in_milliseconds(kinesis: Target, stream: str, tagged: bool) -> None:
    data = f"{time.time_ns()}".encode()
    time.sleep(0.005)  # not a wait for something: the time below must lie after what was put before it
    moment = time.time_ns() // 1_000_000
    put = kinesis.client.put_record(StreamName=stream, PartitionKey="a", Data=data)

    status, start = call(
        kinesis,
        "GetShardIterator",
        StreamName=stream,
        ShardId=put["ShardId"],
        ShardIteratorType="AT_TIMESTAMP",
        Timestamp=cbor2.CBORTag(EPOCH_TAG, moment) if tagged else moment,
    )

    assert status == 200
    assert [record["Data"] for record in kinesis.read(start["ShardIterator"], 1)] == [data]


def test_creation_time(kinesis: Target, stream: str) -> None:
    status, answer = call(kinesis, "DescribeStreamSummary", StreamName=stream)

    assert status == 200
    created = milliseconds(answer["StreamDescriptionSummary"]["StreamCreationTimestamp"])
    assert abs(datetime.now(UTC).timestamp() * 1000 - created) < 300_000


def test_refusals_are_cbor_too(kinesis: Target) -> None:
    status, answer = call(kinesis, "DescribeStreamSummary", StreamName="nowhere")

    assert status == 400
    assert answer["__type"].rpartition("#")[2] == "ResourceNotFoundException"
    assert isinstance(answer["message"], str)
