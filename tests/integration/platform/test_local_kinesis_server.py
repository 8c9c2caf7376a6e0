"""The embedded Kinesis as a process: boto3, CBOR and HTTP/2 from outside, kill -9, and how it starts and stops."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import cbor2
import h2.config
import h2.connection
import h2.events
import httpx
import pytest
from botocore.config import Config
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

pytestmark = pytest.mark.integration

FIRST = "shardId-000000000000"
CBOR = "application/x-amz-cbor-1.1"
SIGNED = "AWS4-HMAC-SHA256 Credential=test/20261124/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0"


class Server:
    """One run of the server, once it said that it is ready."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clickstream.infra.local.kinesis", "--port", "0", *options],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.said: list[str] = []
        for line in self.process.stderr:
            self.said.append(line)
            if match := re.search(r"ready on (https?://127\.0\.0\.1:(\d+))$", line):
                self.url, self.port = match.group(1), int(match.group(2))
                return
        raise AssertionError(f"did not start: {self.said}")

    def client(self) -> KinesisClient:
        # no retries: a test wants to see what the server answers
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=20)
        return boto3.client("kinesis", endpoint_url=self.url, region_name="us-east-1", config=config)

    def headers(self, operation: str, content_type: str) -> dict[str, str]:
        target = f"Kinesis_20131202.{operation}"
        return {"x-amz-target": target, "content-type": content_type, "authorization": SIGNED}

    def cbor(self, operation: str, members: dict[str, Any]) -> tuple[int, Any]:
        answer = httpx.post(self.url, content=cbor2.dumps(members), headers=self.headers(operation, CBOR))
        assert answer.headers["content-type"] == CBOR
        body = cbor2.loads(answer.content, semantic_decoders={1: lambda ms, _: ("epoch", ms)}) if answer.content else None
        return answer.status_code, body

    def close(self) -> int:
        """End it as an operator would; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


Start = Callable[..., Server]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def started(*options: str) -> Server:
            server = Server(*options)
            stack.callback(lambda: server.close() if server.process.poll() is None else None)
            return server

        yield started


def read_all(client: KinesisClient, stream: str) -> list[bytes]:
    """Every record of every shard, closed ones too."""
    found = []
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        iterator: str | None = client.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator is not None:
            answer = client.get_records(ShardIterator=iterator)
            found += [record["Data"] for record in answer["Records"]]
            at_tip = not answer["Records"] and answer["MillisBehindLatest"] == 0
            iterator = None if at_tip else answer.get("NextShardIterator")
    return found


def test_a_streams_whole_life_with_boto3(start: Start) -> None:
    client = start().client()
    client.create_stream(StreamName="s", ShardCount=2)
    client.get_waiter("stream_exists").wait(StreamName="s")
    entries = [{"Data": bytes([number]), "PartitionKey": f"user-{number}"} for number in range(100)]
    assert client.put_records(StreamName="s", Records=entries)["FailedRecordCount"] == 0  # type: ignore[arg-type]  # plain dicts
    client.split_shard(StreamName="s", ShardToSplit=FIRST, NewStartingHashKey=str(2**126))
    client.update_shard_count(StreamName="s", TargetShardCount=4, ScalingType="UNIFORM_SCALING")
    assert client.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["OpenShardCount"] == 4
    assert sorted(read_all(client, "s")) == sorted(bytes([number]) for number in range(100))
    with pytest.raises(client.exceptions.InvalidArgumentException):
        client.split_shard(StreamName="s", ShardToSplit=FIRST, NewStartingHashKey=str(2**126))
    client.delete_stream(StreamName="s")
    client.get_waiter("stream_not_exists").wait(StreamName="s")


def test_cbor_as_the_java_sdk_speaks_it(start: Start) -> None:
    server = start()
    assert server.cbor("CreateStream", {"StreamName": "s", "ShardCount": 1}) == (200, None)
    before_ms = int(time.time() * 1000)
    status, put = server.cbor("PutRecord", {"StreamName": "s", "Data": b"\x00\xff", "PartitionKey": "é"})
    assert status == 200
    position = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": cbor2.CBORTag(1, before_ms - 1000)}
    _, found = server.cbor("GetShardIterator", {"StreamName": "s", "ShardId": FIRST, **position})
    _, answer = server.cbor("GetRecords", found)
    (record,) = answer["Records"]
    assert (record["Data"], record["PartitionKey"]) == (b"\x00\xff", "é")
    assert record["SequenceNumber"] == put["SequenceNumber"]
    tag, arrival_ms = record["ApproximateArrivalTimestamp"]
    assert tag == "epoch"
    assert before_ms <= arrival_ms <= time.time() * 1000
    status, error = server.cbor("DescribeStream", {"StreamName": "none"})
    assert (status, error["__type"]) == (400, "ResourceNotFoundException")


class Fanout:
    """A SubscribeToShard call over HTTP/2 with prior knowledge, by hand: boto3 has no HTTP/2."""

    def __init__(self, server: Server, body: dict[str, Any]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        self._connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._connection.initiate_connection()
        content = cbor2.dumps(body)
        pseudo = {":method": "POST", ":path": "/", ":scheme": "http", ":authority": "localhost"}
        headers = {**pseudo, **server.headers("SubscribeToShard", CBOR), "content-length": str(len(content))}
        self._connection.send_headers(1, list(headers.items()))
        self._connection.send_data(1, content, end_stream=True)
        self._socket.sendall(self._connection.data_to_send())
        self._buffer = EventStreamBuffer()
        self.ended = False

    def __enter__(self) -> Fanout:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def events(self) -> Iterator[tuple[str, Any]]:
        """Event type and payload, until the server ends the stream."""
        while not self.ended:
            for event in self._connection.receive_data(self._socket.recv(65536)):
                if isinstance(event, h2.events.DataReceived):
                    assert event.data is not None
                    assert event.flow_controlled_length is not None
                    self._buffer.add_data(event.data)
                    self._connection.acknowledge_received_data(event.flow_controlled_length, 1)
                elif isinstance(event, h2.events.StreamEnded):
                    self.ended = True
            self._socket.sendall(self._connection.data_to_send())
            for message in self._buffer:
                headers: Any = message.headers
                yield headers[":event-type"], cbor2.loads(message.payload, semantic_decoders={1: lambda ms, _: ms})


def test_fan_out_pushes_over_http2_and_ends_with_the_shard(start: Start) -> None:
    server = start()
    client = server.client()
    client.create_stream(StreamName="s", ShardCount=1)
    arn = client.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
    consumer = client.register_stream_consumer(StreamARN=arn, ConsumerName="app")["Consumer"]["ConsumerARN"]
    client.put_record(StreamName="s", Data=b"before", PartitionKey="k")
    call = {"ConsumerARN": consumer, "ShardId": FIRST, "StartingPosition": {"Type": "TRIM_HORIZON"}}
    with Fanout(server, call) as fanout:
        events = fanout.events()
        assert next(events)[0] == "initial-response"
        kind, event = next(events)
        assert kind == "SubscribeToShardEvent"
        assert [record["Data"] for record in event["Records"]] == [b"before"]
        status, error = server.cbor("SubscribeToShard", call)
        assert (status, error["__type"]) == (400, "ResourceInUseException")
        sent = time.monotonic()
        client.put_record(StreamName="s", Data=b"x" * 900_000, PartitionKey="k")
        assert [len(record["Data"]) for record in next(events)[1]["Records"]] == [900_000]
        assert time.monotonic() - sent < 3  # pushed, not found by the heartbeat after five seconds
        client.split_shard(StreamName="s", ShardToSplit=FIRST, NewStartingHashKey=str(2**127))
        _, end = next(events)
        assert end["ContinuationSequenceNumber"] is None
        assert [child["ParentShards"] for child in end["ChildShards"]] == [[FIRST], [FIRST]]
        assert list(events) == []
    assert fanout.ended


def test_tls_offers_http2_by_alpn(start: Start, tmp_path: Path) -> None:
    authority = certificate(tmp_path)
    server = start("--certificate", str(tmp_path / "certificate.pem"), "--key", str(tmp_path / "key.pem"))
    headers = server.headers("ListStreams", "application/x-amz-json-1.1")
    for http2, version in ((True, "HTTP/2"), (False, "HTTP/1.1")):
        with httpx.Client(http2=http2, verify=authority) as client:
            answer = client.post(server.url, content=b"{}", headers=headers)
        assert (answer.http_version, answer.json()["StreamNames"]) == (version, [])


def certificate(folder: Path) -> ssl.SSLContext:
    """A self-signed certificate of this machine's loopback address in ``folder``, and who trusts it."""
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *name, *files]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return ssl.create_default_context(cafile=folder / "certificate.pem")


def test_what_was_acknowledged_is_there_after_kill_9(start: Start, tmp_path: Path) -> None:
    server = start("--state", str(tmp_path))
    server.client().create_stream(StreamName="s", ShardCount=4)
    acknowledged: list[bytes] = []
    enough = threading.Event()

    def write(writer: int) -> None:
        client = server.client()
        number = 0
        while True:
            batch = [b"%d-%d" % (writer, number + offset) for offset in range(20)]
            entries = [{"Data": data, "PartitionKey": data.decode()} for data in batch]
            try:
                client.put_records(StreamName="s", Records=entries)  # type: ignore[arg-type]  # plain dicts
            except (BotoCoreError, ClientError):
                return
            acknowledged.extend(batch)
            number += len(batch)
            if len(acknowledged) > 4000:
                enough.set()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    assert enough.wait(60)
    server.client().split_shard(StreamName="s", ShardToSplit=FIRST, NewStartingHashKey=str(2**125))
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(10)
    assert server.process.stderr is not None
    server.process.stderr.close()
    for writer in writers:
        writer.join(30)

    again = start("--state", str(tmp_path)).client()
    assert len(again.list_shards(StreamName="s")["Shards"]) == 6
    found = read_all(again, "s")
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found))


def test_faults_by_the_admin_endpoint(start: Start) -> None:
    server = start()
    client = server.client()
    client.create_stream(StreamName="s", ShardCount=1)
    faults = [
        {"kind": "fail", "operation": "PutRecord", "error": "ServiceUnavailableException"},
        {"kind": "throttle", "shard_id": FIRST, "count": 1},
        {"kind": "delay", "operation": "DescribeStreamSummary", "delay_ms": 300},
    ]
    assert httpx.post(f"{server.url}/_clickstream/faults", json=faults).status_code == 200
    with pytest.raises(ClientError, match="ServiceUnavailableException"):
        client.put_record(StreamName="s", Data=b"", PartitionKey="k")
    with pytest.raises(client.exceptions.ProvisionedThroughputExceededException):
        client.put_record(StreamName="s", Data=b"", PartitionKey="k")
    client.put_record(StreamName="s", Data=b"", PartitionKey="k")
    called = time.monotonic()
    client.describe_stream_summary(StreamName="s")
    assert time.monotonic() - called >= 0.3
    assert httpx.get(f"{server.url}/_clickstream/faults").json() == []
    assert httpx.post(f"{server.url}/_clickstream/faults", json=[{"kind": "nonsense"}]).status_code == 400


def test_what_is_not_a_call_is_refused(start: Start) -> None:
    server = start()
    json = "application/x-amz-json-1.1"
    assert httpx.get(f"{server.url}/health").json() == {"status": "ok"}
    assert httpx.get(server.url).status_code == 403
    assert httpx.post(server.url, content=b"{}").status_code == 404
    unsigned = httpx.post(
        server.url, content=b"{}", headers={"x-amz-target": "Kinesis_20131202.ListStreams", "content-type": json}
    )
    assert unsigned.json()["__type"] == "MissingAuthenticationTokenException"
    unknown = httpx.post(server.url, content=b"{}", headers=server.headers("MakeCoffee", json))
    assert unknown.json()["__type"] == "UnknownOperationException"
    broken = httpx.post(server.url, content=b"{", headers=server.headers("ListStreams", json))
    assert broken.json()["__type"] == "SerializationException"
    large = httpx.post(server.url, content=bytes(21 * 1024 * 1024), headers=server.headers("PutRecord", json))
    assert large.status_code == 413


def test_stops_cleanly_at_once(start: Start) -> None:
    server = start()
    client = server.client()
    client.list_streams()  # leaves a connection open
    began = time.monotonic()
    assert server.close() == 0
    assert time.monotonic() - began < 5
    assert len(server.said) == 1


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--host", "0.0.0.0"), 2, "not a loopback address"),
        (("--host", "example.org"), 2, "not a loopback address"),
        (("--max-record-size", "1000"), 2, "1024 to 10240"),
    ],
)
def test_wrong_usage(options: tuple[str, ...], code: int, text: str) -> None:
    command = [sys.executable, "-m", "clickstream.infra.local.kinesis", "--port", "0", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_one_line(start: Start) -> None:
    command = [sys.executable, "-m", "clickstream.infra.local.kinesis", "--port", str(start().port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Address already in use" in done.stderr
