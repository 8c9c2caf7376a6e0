"""The readers of the documentation, each in its own language and process: a record's data in, events out."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.integration.readers import parts
from tests.integration.readers.stream import Event

PAGE = parts.ROOT / "docs" / "reference" / "records.md"
READERS = parts.ROOT / "docs" / "reference" / "readers"


class Read(NamedTuple):
    events: list[Event]
    refused: list[str]
    """What was said of each record that could not be read."""


Reader = Callable[[Sequence[bytes], Path], Read]
"""Of a record's data each, in a folder to work in."""


def node(data: Sequence[bytes], folder: Path) -> Read:
    shutil.copy(READERS / "records.cjs", folder)
    (folder / "node_modules").symlink_to(parts.node_modules())
    return _filtered([parts.program("node"), "records.cjs"], data, folder)


def java(data: Sequence[bytes], folder: Path) -> Read:
    return _filtered([parts.java(), "-cp", str(parts.zstd_jni()), str(READERS / "Records.java")], data, folder)


def shell(data: Sequence[bytes], folder: Path) -> Read:
    """The line as the page has it, behind the call of the AWS CLI."""
    parts.program("zstd")
    return _filtered([parts.program("bash"), "-c", _piped("zstd -dcfq")], data, folder)


def shell_without_zstd(data: Sequence[bytes], folder: Path) -> Read:
    return _filtered([parts.program("bash"), "-c", _piped("zstd -dcfq").replace("zstd -dcfq", "gzip -dcf")], data, folder)


def _piped(command: str) -> str:
    (line,) = re.findall(rf"^ +(while read .*{command}.*)$", PAGE.read_text(), re.MULTILINE)
    return str(line)


def _filtered(command: list[str], data: Sequence[bytes], folder: Path) -> Read:
    lines = b"".join(base64.b64encode(each) + b"\n" for each in data)
    done = subprocess.run(command, input=lines, capture_output=True, cwd=folder, check=False, timeout=120)
    refused = done.stderr.decode().splitlines()
    assert done.returncode == (3 if refused else 0), done.stderr.decode()
    return Read([json.loads(line) for line in done.stdout.split(b"\n") if line], refused)


def python(data: Sequence[bytes], folder: Path) -> Read:
    """The Lambda function with the module that Python 3.14 has as ``compression.zstd``."""
    answer = invoke(event_of(data), folder)
    assert answer["answer"] == {"batchItemFailures": []}
    return Read(answer["handled"], answer["refused"])


#: As the runtime of Lambda does: imports the module, parses the event, writes the answer. ``handle`` is filled in.
_RUNTIME = """
import json, sys
sys.path.insert(0, sys.argv[1])
import lambda_function
handled, refused, (poison, entry) = [], [], sys.argv[2:]
def handle(event):
    if event["event_id"] == poison:
        raise RuntimeError("the database is away")
    handled.append(event)
lambda_function.handle = handle
lambda_function.refused = lambda position, data, reason: refused.append(f"{position}: {reason}")
answer = getattr(lambda_function, entry)(json.load(sys.stdin), None)
print(json.dumps({"answer": answer, "handled": handled, "refused": refused}))
"""


def invoke(event: dict[str, Any], folder: Path, *options: str, poison: str = "", entry: str = "handler") -> dict[str, Any]:
    """``options`` are Python's; ``handle`` raises on the event of id ``poison``."""
    command = [sys.executable, "-B", *options, "-c", _RUNTIME, str(READERS), poison, entry]
    done = subprocess.run(command, input=json.dumps(event).encode(), capture_output=True, cwd=folder, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def event_of(data: Sequence[bytes]) -> dict[str, Any]:
    """A batch as the event source mapping of Kinesis hands it over."""
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/clickstream"
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "user-1",
                    "sequenceNumber": str(number),
                    "data": base64.b64encode(each).decode(),
                    "approximateArrivalTimestamp": 1790000000.123,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"shardId-000000000000:{number}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::123456789012:role/reader",
                "awsRegion": "us-east-1",
                "eventSourceARN": arn,
            }
            for number, each in enumerate(data)
        ]
    }
