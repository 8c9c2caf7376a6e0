"""The AWS CLI, as published, does a stream's whole life against the embedded Kinesis."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.servers import ROOT, Server
from tests.contract.target import HASH_SPACE

pytestmark = pytest.mark.contract

AWSCLI_VERSION = "1.46.3"
"""Pins a botocore of its own, older than ours: it needs an environment of its own."""
WAIT_SECONDS = 60

Aws = Callable[..., Any]


@pytest.fixture(scope="module")
def aws_program() -> Path:
    """The ``aws`` of a virtual environment under .local/, made when missing."""
    home = ROOT / ".local" / f"awscli-{AWSCLI_VERSION}"
    program = home / "bin" / "aws"
    if not program.exists():
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        assert uv is not None  # a dependency of this project
        for command in (
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)],
            [uv, "pip", "install", "--quiet", "--python", str(home / "bin" / "python"), f"awscli=={AWSCLI_VERSION}"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                reason = f"cannot install awscli {AWSCLI_VERSION}: {done.stderr.strip()[-500:]}"
                pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return program


@pytest.fixture(scope="module")
def aws(aws_program: Path, embedded_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Aws:
    """Runs ``aws kinesis ...``; its answer, decoded, or None when it prints none."""
    home = tmp_path_factory.mktemp("aws-home")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_ACCESS_KEY_ID": "contract",
        "AWS_SECRET_ACCESS_KEY": "contract",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_KINESIS": embedded_server.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }

    def run(*arguments: str) -> Any:
        done = subprocess.run(
            [str(aws_program), "kinesis", *arguments, "--output", "json"],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=WAIT_SECONDS,
        )
        assert done.returncode == 0, f"aws kinesis {' '.join(arguments)}: {done.stderr}"
        assert done.stderr == ""
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


def test_a_streams_whole_life(aws: Aws) -> None:
    stream = ("--stream-name", "from-the-command-line")
    aws("create-stream", *stream, "--shard-count", "1")
    aws("wait", "stream-exists", *stream)

    put = aws("put-record", *stream, "--partition-key", "a", "--data", "one")
    assert put["ShardId"] == "shardId-000000000000"
    batch = aws("put-records", *stream, "--records", *(f"PartitionKey={k},Data={k}" for k in ("two", "three")))
    assert batch["FailedRecordCount"] == 0
    assert [shard["ShardId"] for shard in aws("list-shards", *stream)["Shards"]] == ["shardId-000000000000"]
    assert summary(aws, stream)["OpenShardCount"] == 1

    start = ("--shard-id", "shardId-000000000000", "--shard-iterator-type", "TRIM_HORIZON")
    iterator = aws("get-shard-iterator", *stream, *start)["ShardIterator"]
    page = aws("get-records", "--shard-iterator", iterator)
    assert [base64.b64decode(record["Data"]).decode() for record in page["Records"]] == ["one", "two", "three"]

    middle = ("--new-starting-hash-key", str(HASH_SPACE // 2))
    aws("split-shard", *stream, "--shard-to-split", "shardId-000000000000", *middle)
    aws("wait", "stream-exists", *stream)
    assert summary(aws, stream)["OpenShardCount"] == 2
    pair = ("--shard-to-merge", "shardId-000000000001", "--adjacent-shard-to-merge", "shardId-000000000002")
    aws("merge-shards", *stream, *pair)
    aws("wait", "stream-exists", *stream)
    assert summary(aws, stream)["OpenShardCount"] == 1
    scaled = aws("update-shard-count", *stream, "--target-shard-count", "2", "--scaling-type", "UNIFORM_SCALING")
    assert (scaled["CurrentShardCount"], scaled["TargetShardCount"]) == (1, 2)
    aws("wait", "stream-exists", *stream)
    assert summary(aws, stream)["OpenShardCount"] == 2

    aws("delete-stream", *stream)
    aws("wait", "stream-not-exists", *stream)
    assert aws("list-streams")["StreamNames"].count(stream[1]) == 0


def summary(aws: Aws, stream: tuple[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = aws("describe-stream-summary", *stream)["StreamDescriptionSummary"]
    return found
