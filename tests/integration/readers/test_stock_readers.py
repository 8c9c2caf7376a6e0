"""What AWS ships for Kinesis beside a stream of ours: KCL as amazon_kclpy starts it, and aws-kinesis-agg.

Neither needs more than its own code for ``kpl``. KCL hands every other record over whole: the file of the docs opens it.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from clickstream.aws import Clients
from clickstream.events import AnyEvent, encode
from clickstream.settings import Settings, environment
from tests.integration.publisher.stream import records
from tests.integration.readers import parts, stream
from tests.integration.readers.stream import Event
from tests.integration.resharding.platform import DEADLINE_S

pytestmark = [pytest.mark.integration, pytest.mark.java]

Kcl = Callable[[int], list[tuple[int, Event]]]
"""Waits until so many events were noted: (sub-sequence number, event), in the shard's order."""


@pytest.fixture
def kcl(settings: Settings, tmp_path: Path) -> Iterator[Kcl]:
    """On ``settings.stream`` with one shard: amazon_kclpy's command as its helper prints it, with its jars and none of ours."""
    notes = tmp_path / "notes"
    notes.mkdir()
    properties = tmp_path / "kcl.properties"
    properties.write_text(
        f"""
executableName = {sys.executable} {Path(__file__).with_name("kclpy_application.py")} {notes}
streamName = {settings.stream}
applicationName = {settings.application("stock")}
regionName = {settings.region}
AwsCredentialsProvider = DefaultCredentialsProvider
processingLanguage = python/3
initialPositionInStream = TRIM_HORIZON
kinesisEndpoint = {settings.endpoint("kinesis")}
dynamoDBEndpoint = {settings.endpoint("dynamodb")}
metricsLevel = NONE
# for how long KCL rests after its first look at the shards, among other things: a minute by default
shardSyncIntervalMillis = 1000
failoverTimeMillis = 2000
"""
    )
    helper = [sys.executable, "-m", "samples.amazon_kclpy_helper", "--print_command"]
    helper += ["--java", parts.program("java"), "--properties", str(properties)]
    helper += ["--log-configuration", str(Path(__file__).parent.parent / "resharding" / "logback.xml")]
    command = subprocess.run(helper, capture_output=True, text=True, check=True).stdout.split()
    log = tmp_path / "kcl.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, env={**environment(settings)}, stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def noted(count: int) -> list[tuple[int, Event]]:
        deadline = time.monotonic() + DEADLINE_S
        while True:
            lines = [line for file in notes.iterdir() for line in file.read_bytes().split(b"\n")[:-1]]
            if len(lines) >= count:
                return [(int(number), json.loads(event)) for number, _, event in (line.partition(b" ") for line in lines)]
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, f"{len(lines)} of {count} events\n{log.read_text()}"
            time.sleep(0.1)

    yield noted
    process.kill()
    process.wait()


def test_stock_kcl_reads_every_format_beside_the_others(settings: Settings, kcl: Kcl) -> None:
    written = stream.written(settings)
    kpl: list[AnyEvent] = list(islice(stream.made(), 500))
    stream.publish(settings, "kpl", kpl)
    aggregated = [json.loads(encode(event)) for event in kpl]
    noted = kcl(len(written.events) + len(aggregated))
    assert [event for _, event in noted] == written.events + aggregated
    assert max(number for number, event in noted if event in aggregated) > 100


def test_aws_kinesis_agg_reads_kpl(settings: Settings) -> None:
    kinesis = Clients(settings).kinesis
    kinesis.create_stream(StreamName=settings.stream, ShardCount=1)
    kpl: list[AnyEvent] = list(islice(stream.made(), 500))
    stream.publish(settings, "kpl", kpl)
    path = sys.path[:]
    from aws_kinesis_agg.deaggregator import iter_deaggregate_records  # it puts its own folder on the path

    sys.path[:] = path
    shard = kinesis.list_shards(StreamName=settings.stream)["Shards"][0]["ShardId"]
    put = [dict(record) for record in records(kinesis, settings.stream, shard)]
    assert len(put) < 100
    users = [each["kinesis"] for each in iter_deaggregate_records(put, data_format="Boto3")]
    assert [json.loads(base64.b64decode(user["data"])) for user in users] == [json.loads(encode(event)) for event in kpl]
    assert [user["partitionKey"] for user in users] == [event.user_id for event in kpl]
