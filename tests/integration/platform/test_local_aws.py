"""The embedded AWS: started, used, ended, and in everybody's way only as far as it says."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clickstream.aws import Clients
from clickstream.consumers.analytics.needs import AGGREGATES
from clickstream.errors import UserMistake
from clickstream.infra.local import ministack, resources, stack
from clickstream.infra.local.processes import Died, start_time
from clickstream.platform import DEAD_LETTERS, SHARDS, STATE
from clickstream.settings import Settings, child_environment, from_env
from tests.integration.platform.test_up import exported

pytestmark = pytest.mark.integration

Clickstream = Callable[..., subprocess.CompletedProcess[str]]


def _home() -> Path:
    """Where the session's ministack environment stands: no test builds a second one."""
    return from_env().local_dir.absolute()


@pytest.fixture
def clickstream(tmp_path: Path) -> Iterator[Clickstream]:
    """The program, with a local_dir of its own, in which nothing runs at the end.

    Its proxy is not there, and a file stands in the way of a library.
    """
    ministack.install(_home(), stack.quiet)
    (tmp_path / "ministack").symlink_to(_home() / "ministack")

    (tmp_path / "queue.py").write_text("raise SystemExit('not the library')")

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        around = {"CLICKSTREAM_LOCAL_DIR": str(tmp_path), "http_proxy": "http://127.0.0.1:1"}
        environment = child_environment({**around, **variables})
        command = [sys.executable, "-P", "-m", "clickstream.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False, timeout=120)

    try:
        yield run
    finally:
        stack.stop(tmp_path)


def _exported(text: str) -> dict[str, str]:
    (line,) = text.splitlines()
    return exported(line)


def test_resources_are_created_once_by_whoever_comes(settings: Settings) -> None:
    clients = Clients(settings)
    with ThreadPoolExecutor(4) as threads:
        together = [threads.submit(resources.create, Clients(settings), settings, shards=3) for _ in range(4)]
    assert [outcome.result() for outcome in together] == [None] * 4
    resources.create(clients, settings, shards=5)

    summary = clients.kinesis.describe_stream_summary(StreamName=settings.stream)["StreamDescriptionSummary"]
    assert (summary["StreamStatus"], summary["OpenShardCount"]) == ("ACTIVE", 3)
    for table, keys in (
        (SHARDS.of(settings), [("application", "HASH"), ("shard", "RANGE")]),
        (AGGREGATES.of(settings), [("window", "HASH"), ("part", "RANGE")]),
    ):
        described = clients.dynamodb.describe_table(TableName=table)["Table"]
        assert [(key["AttributeName"], key["KeyType"]) for key in described["KeySchema"]] == keys
        assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    queue = clients.sqs.get_queue_url(QueueName=DEAD_LETTERS.of(settings))["QueueUrl"]
    attributes = clients.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["MessageRetentionPeriod"])
    assert attributes["Attributes"]["MessageRetentionPeriod"] == "1209600"
    clients.s3.head_bucket(Bucket=STATE.of(settings))


def test_what_is_there_already_keeps_what_it_holds(provisioned: Settings) -> None:
    clients = Clients(provisioned)
    item = {"window": {"S": "w"}, "part": {"S": "p"}}
    clients.dynamodb.put_item(TableName=AGGREGATES.of(provisioned), Item=item)
    clients.s3.put_object(Bucket=STATE.of(provisioned), Key="k", Body=b"kept")
    resources.create(clients, provisioned)
    assert clients.dynamodb.get_item(TableName=AGGREGATES.of(provisioned), Key=item)["Item"] == item
    assert clients.s3.get_object(Bucket=STATE.of(provisioned), Key="k")["Body"].read() == b"kept"


def test_a_region_without_the_special_case(settings: Settings) -> None:
    elsewhere = msgspec.structs.replace(settings, region="eu-north-1")
    resources.create(Clients(elsewhere), elsewhere, shards=1)
    resources.create(Clients(elsewhere), elsewhere, shards=1)
    Clients(elsewhere).s3.head_bucket(Bucket=STATE.of(elsewhere))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_listens_on_loopback_only(local_aws: stack.Stack) -> None:
    listening = {address for process in local_aws.processes for address in _listening(process.pid)}
    assert listening == {f"0100007F:{port:04X}" for port in (local_aws.ports.aws, local_aws.ports.kinesis)}


def _listening(pid: int) -> Iterator[str]:
    """The addresses (hexadecimal, as the kernel writes them) that a process accepts TCP connections on."""
    sockets = {str(descriptor.readlink()) for descriptor in Path(f"/proc/{pid}/fd").iterdir()}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                yield fields[1]


def test_a_block_leaves_nothing_behind(tmp_path: Path) -> None:
    with stack.local_aws(tmp_path, home=_home()) as running:
        assert running.answers()
        assert (tmp_path / "scratch").is_dir()
    assert not any(process.is_running() for process in running.processes)
    assert not running.answers()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs"]


def test_a_taken_port_is_one_line_and_a_hint(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        for ports, option in (
            (stack.Ports(aws=port, kinesis=0), "--port"),
            (stack.Ports(aws=0, kinesis=port), "--kinesis-port"),
        ):
            with (
                pytest.raises(UserMistake, match=f"^port {port} is taken$") as caught,
                stack.local_aws(tmp_path, ports=ports, home=_home()),
            ):
                pass
            assert f" {option}," in caught.value.hint
    assert not (tmp_path / "logs").exists()


def test_a_server_that_does_not_come_up_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ministack, "command", lambda python, _policies: [str(python), "-c", "raise SystemExit('no room')"])
    with (
        pytest.raises(Died, match="ended with exit code 1: no room") as caught,
        stack.local_aws(tmp_path, home=_home()),
    ):
        pass
    assert str(tmp_path / "logs" / "ministack.log") in str(caught.value)


def test_start_status_stop(clickstream: Clickstream, tmp_path: Path) -> None:
    assert clickstream("local", "status").returncode == 1
    (tmp_path / "wrong.py").write_text(
        "from clickstream.needs import Bucket, Needs\n"
        "NEEDS = Needs(name='wrong', wiring='wrong', buckets=(Bucket('No_Bucket_Is_Called_So'),))\n"
    )
    failed = clickstream("local", "start", "--port", "0", "--kinesis-port", "0", CLICKSTREAM_APPLICATIONS="wrong")
    assert (failed.returncode, failed.stdout) == (1, ""), failed.stderr
    assert clickstream("local", "stop").stderr == "clickstream: was not running\n"

    started = clickstream("local", "start", "--port", "0", "--kinesis-port", "0", "--shards", "1")
    assert started.returncode == 0, started.stderr
    variables = _exported(started.stdout)
    assert set(variables) == {
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_KINESIS",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_EC2_METADATA_DISABLED",
    }
    # the variables alone, as a shell that evaluated them has them, lead to the stream
    settings = from_env(variables)
    assert Clients(settings).kinesis.describe_stream_summary(StreamName="clickstream")

    again = clickstream("local", "start", "--port", "0", "--kinesis-port", "0")
    assert (again.returncode, _exported(again.stdout)) == (0, variables)

    status = clickstream("local", "status", "--json")
    told = json.loads(status.stdout)
    assert (status.returncode, told["running"], told["environment"]) == (0, True, variables)
    pids = [process["pid"] for process in told["processes"]]

    stopped = clickstream("local", "stop")
    assert (stopped.returncode, stopped.stdout) == (0, "")
    assert [start_time(pid) for pid in pids] == [None, None]
    assert clickstream("local", "status", "--json").stdout == '{"running": false}\n'
    assert clickstream("local", "stop").returncode == 0
    assert not (tmp_path / "stack.json").exists()


def test_state_outlives_a_stop(clickstream: Clickstream, tmp_path: Path) -> None:
    start = ("local", "start", "--port", "0", "--kinesis-port", "0", "--shards", "1", "--state", str(tmp_path / "state"))
    settings = from_env(_exported(clickstream(*start).stdout))
    Clients(settings).s3.put_object(Bucket=STATE.of(settings), Key="k", Body=b"kept")
    sent = Clients(settings).kinesis.put_record(StreamName=settings.stream, PartitionKey="u", Data=b"kept")
    assert clickstream("local", "stop").returncode == 0

    settings = from_env(_exported(clickstream(*start).stdout))
    clients = Clients(settings)
    assert clients.s3.get_object(Bucket=STATE.of(settings), Key="k")["Body"].read() == b"kept"
    iterator = clients.kinesis.get_shard_iterator(
        StreamName=settings.stream, ShardId=sent["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = clients.kinesis.get_records(ShardIterator=iterator)["Records"]
    assert [(record["SequenceNumber"], record["Data"]) for record in records] == [(sent["SequenceNumber"], b"kept")]


def test_two_starts_at_once_give_one_stack(clickstream: Clickstream) -> None:
    start = ("local", "start", "--port", "0", "--kinesis-port", "0", "--shards", "1")
    with ThreadPoolExecutor(2) as threads:
        both = [outcome.result() for outcome in [threads.submit(clickstream, *start) for _ in range(2)]]
    assert [said.returncode for said in both] == [0, 0], both
    assert both[0].stdout == both[1].stdout


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """Tables and items, changed and deleted ones, objects; before it, only what was there at the last orderly stop did."""
    with stack.local_aws(tmp_path, state=tmp_path / "state", home=_home()) as running:
        settings = running.settings
        dynamodb, table, aggregates = Clients(settings).dynamodb, SHARDS.of(settings), AGGREGATES.of(settings)
        for each in (SHARDS, AGGREGATES):
            dynamodb.create_table(**each.creation(each.of(settings)))
        key = {"application": {"S": "a"}, "shard": {"S": "kept"}}
        dynamodb.put_item(TableName=table, Item=key)
        change: dict[str, Any] = {"UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"N": "3"}}}
        dynamodb.update_item(TableName=table, Key=key, **change)
        others = [{"application": {"S": "a"}, "shard": {"S": f"s{n}"}} for n in range(20)]
        dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": item}} for item in others])
        for item in others:
            dynamodb.delete_item(TableName=table, Key=item)
        dynamodb.put_item(TableName=aggregates, Item={"window": {"S": "w"}, "part": {"S": "p"}})
        dynamodb.delete_table(TableName=aggregates)
        dynamodb.create_table(**AGGREGATES.creation(aggregates))
        Clients(settings).s3.create_bucket(Bucket=STATE.of(settings))
        Clients(settings).s3.put_object(Bucket=STATE.of(settings), Key="k", Body=b"kept")
        for process in running.processes:
            process.signal(signal.SIGKILL)

    with stack.local_aws(tmp_path, state=tmp_path / "state", home=_home()) as running:
        clients = Clients(running.settings)
        assert clients.dynamodb.scan(TableName=table)["Items"] == [key | {"n": {"N": "3"}}]
        assert clients.dynamodb.describe_table(TableName=table)["Table"]["ItemCount"] == 1
        assert clients.dynamodb.scan(TableName=aggregates)["Items"] == []
        assert clients.s3.get_object(Bucket=STATE.of(settings), Key="k")["Body"].read() == b"kept"
