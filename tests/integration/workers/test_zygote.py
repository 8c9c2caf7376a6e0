"""The fork that takes over a daemon's pipes, with a real shell, real pipes and a real zygote loop."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from clickstream.infra.local.processes import start_time

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="pipes are handed over through /proc, which only Linux has"),
]

SHARD_SH = str(resources.files("clickstream.consumers.runtime.worker") / "shard.sh")

ECHO_ZYGOTE = """
import os, signal, sys
from pathlib import Path
from clickstream.telemetry import logs
from clickstream.consumers.runtime.worker.forks import end_with_parent
from clickstream.consumers.runtime.worker.zygote import fork_until_one_dies, open_requests

def serve():
    for line in sys.stdin:
        if line == "exit 7\\n":
            return 7
        if line == "wait\\n":
            os.write(1, f"{os.getpid()} waits\\n".encode())
            signal.pause()
        if line == "bug\\n":
            raise RuntimeError("a bug of ours")
        if line == "crash\\n":
            os.kill(os.getpid(), 9)
        os.write(1, f"{os.getpid()} {line}".encode())
    return 0

end_with_parent()
logs.to_stderr("info")
directory = Path(sys.argv[1])
os.mkfifo(directory / "requests", 0o600)
requests = open_requests(directory)
(directory / "ready").touch()
sys.exit(fork_until_one_dies(requests, directory, serve))
"""


@pytest.fixture
def zygote_process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", ECHO_ZYGOTE, str(tmp_path)]) as process:
        deadline = time.monotonic() + 20
        while not (tmp_path / "ready").exists():
            assert time.monotonic() < deadline, "the zygote does not start"
            time.sleep(0.01)
        yield process
        process.kill()


@pytest.fixture
def zygote(zygote_process: subprocess.Popen[bytes], tmp_path: Path) -> Path:
    return tmp_path


def shard(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["/bin/sh", SHARD_SH, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )


def ask(process: subprocess.Popen[str], line: str) -> list[str]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    return process.stdout.readline().split()


def test_each_shard_talks_to_its_own_fork(zygote: Path) -> None:
    with shard(zygote) as first, shard(zygote) as second:
        [first_pid, *said] = ask(first, "hello")
        assert said == ["hello"]
        [second_pid, *said] = ask(second, "there")
        assert said == ["there"]
        assert first_pid != second_pid
        assert ask(first, "again") == [first_pid, "again"]


def test_the_end_of_the_pipe_ends_the_fork_and_then_the_shell(zygote: Path) -> None:
    with shard(zygote) as process:
        ask(process, "hello")
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
    assert sorted(path.name for path in zygote.iterdir()) == ["ready", "requests"], "nothing is left behind"


@pytest.mark.parametrize(("line", "code"), [("exit 7", 7), ("crash", 1)])
def test_the_forks_end_is_the_shells_end(zygote: Path, line: str, code: int) -> None:
    with shard(zygote) as process:
        assert process.stdin is not None
        process.stdin.write(line + "\n")
        assert process.wait(10) == code


@pytest.mark.parametrize("line", ["exit 7", "crash"])
def test_a_forks_bad_end_ends_the_zygote_and_the_other_forks(
    zygote_process: subprocess.Popen[bytes], zygote: Path, line: str
) -> None:
    with shard(zygote) as bystander, shard(zygote) as process:
        ask(bystander, "hello")
        assert process.stdin is not None
        process.stdin.write(line + "\n")
        assert zygote_process.wait(10) == 1
        assert bystander.wait(10) == 1


def test_forks_end_with_their_zygote_even_while_they_do_not_read(zygote_process: subprocess.Popen[bytes], zygote: Path) -> None:
    with shard(zygote) as process:
        [pid, said] = ask(process, "wait")
        assert said == "waits"
        zygote_process.kill()
        assert process.wait(10) == 1
        assert start_time(int(pid)) is None


def test_a_fork_that_ends_well_ends_nobody_else(zygote_process: subprocess.Popen[bytes], zygote: Path) -> None:
    with shard(zygote) as process:
        ask(process, "hello")
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
    with shard(zygote) as later:
        assert ask(later, "hello")[1:] == ["hello"]
    assert zygote_process.poll() is None


def test_a_bug_in_a_fork_ends_it_with_its_traceback_in_the_log(zygote_process: subprocess.Popen[bytes], zygote: Path) -> None:
    with subprocess.Popen(
        ["/bin/sh", SHARD_SH, str(zygote)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        _, said = process.communicate("bug\n", timeout=20)
    assert "RuntimeError: a bug of ours" in said
    assert "in serve" in said
    assert zygote_process.wait(timeout=20) == 1
