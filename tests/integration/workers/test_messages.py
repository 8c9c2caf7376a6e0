"""What the JVM writes to a shard's process: the same with our MessageWriter as with KCL's, in a fraction of the heap."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from clickstream.consumers.runtime.worker import java
from tests.integration.workers.test_kcl_reads_ours import unavailable

pytestmark = [pytest.mark.integration, pytest.mark.java]

SOURCE = Path(__file__).with_name("Write.java")
Record = tuple[str, bytes, int]
#: The records and how far they are behind.
Batch = tuple[list[Record], int | None]
MIB = 1 << 20
KEYS = [
    "ann",
    'a "quoted" \\ key',
    "tab\tand\x01\x1f\x7f",
    "Zoë",
    "用户",
    "🛒",
    "half \ud83d",
    "\udc00 half",
    "",
    "\u2028</script>",
]
#: Keeps every line that it is sent, asks for one checkpoint and answers.
CHILD = """
import json, sys
kept = open(sys.argv[1], "wb")
for line in sys.stdin.buffer:
    kept.write(line)
    kept.flush()
    action = json.loads(line)["action"]
    if action == "shutdownRequested":
        print(json.dumps({"action": "checkpoint", "sequenceNumber": "50", "subSequenceNumber": 0}), flush=True)
        kept.write(sys.stdin.buffer.readline())
        kept.flush()
    print(json.dumps({"action": "status", "responseFor": action}), flush=True)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write.java, compiled."""
    if shutil.which("javac") is None:
        unavailable("no javac")
    folder = tmp_path_factory.mktemp("classes")
    class_path = ":".join(map(str, java.class_path()[1:]))
    subprocess.run(["javac", "--release", "11", "-proc:none", "-cp", class_path, "-d", folder, SOURCE], check=True, timeout=120)
    return folder


def written(
    program: Path,
    folder: Path,
    batches: Sequence[Batch],
    *,
    ours: bool,
    times: int = 1,
    end: str = "lost",
    heap: str = "256m",
) -> subprocess.CompletedProcess[str]:
    """What the daemon's classes write goes into ``folder / "lines"``."""
    folder.mkdir()
    (folder / "child.py").write_text(CHILD)
    lines = []
    for records, behind in batches:
        for key, data, number in records:
            words = base64.b64encode(key.encode("utf-16-be", "surrogatepass")), base64.b64encode(data)
            lines.append(f"{words[0].decode()} {words[1].decode()} {number} {number % 7} {number * 1000}\n")
        lines.append(f"= {'-' if behind is None else behind}\n")
    command = f"{sys.executable} {folder / 'child.py'} {folder / 'lines'}"
    return subprocess.run(
        [
            "java",
            "-Dfile.encoding=UTF-8",
            f"-Dlogback.configurationFile={java.LOGBACK}",
            f"-Xmx{heap}",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-cp",
            ":".join(map(str, [program, *java.class_path()[0 if ours else 1 :]])),
            "Write",
            command,
            str(times),
            end,
        ],
        input="".join(lines),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def messages(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / "lines").read_bytes().split(b"\n")[:-1]]


@pytest.mark.parametrize("end", ["lost", "requested", "ended"])
def test_every_message_is_kcls(program: Path, tmp_path: Path, end: str) -> None:
    random = Random(31)
    sizes = [0, 1, 2, 3, 100, 8_000, 70_000, 1 << 20]
    everything = [(key, random.randbytes(random.choice(sizes[:5])), number) for number, key in enumerate(KEYS * 30)]
    large = [("a", random.randbytes(size), number) for number, size in enumerate(sizes * 6)]
    batches: Sequence[Batch] = [
        (everything, 0),
        ([], 1_234_567_890_123),
        (large, 17),
        (everything[:1], None),
    ]
    for ours in (True, False):
        done = written(program, tmp_path / str(ours), batches, ours=ours, end=end)
        assert done.returncode == 0, done.stderr
    got = messages(tmp_path / "True")
    assert got == messages(tmp_path / "False")
    assert [len(message["records"]) for message in got if message["action"] == "processRecords"] == [300, 0, 48, 1]
    assert [each["partitionKey"] for each in got[1]["records"][6:8]] == ["half ?", "? half"]


def test_a_batch_of_ten_mebibytes_needs_little_more_heap_than_itself(program: Path, tmp_path: Path) -> None:
    """What Kinesis delivers at most in one read; KCL's own class needs several times as much."""
    batch = [("a", Random(number).randbytes(MIB), number) for number in range(10)]
    ours = written(program, tmp_path / "ours", [(batch, 0)], ours=True, times=5, heap="40m")
    assert ours.returncode == 0, ours.stderr
    got = messages(tmp_path / "ours")
    assert [message["action"] for message in got] == ["initialize", *["processRecords"] * 5, "leaseLost"]
    for message in got[1:-1]:
        assert [base64.b64decode(record["data"]) for record in message["records"]] == [data for _, data, _ in batch]
    kcls = written(program, tmp_path / "kcl", [(batch, 0)], ours=False, times=5, heap="40m")
    assert "OutOfMemoryError" in kcls.stdout + kcls.stderr
