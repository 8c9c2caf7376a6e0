"""The two servers under the contract: the embedded Kinesis and kinesis-mock, each a process on loopback ports of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

ServerName = Literal["embedded", "kinesis-mock"]

ROOT = Path(__file__).parents[2]
KINESIS_MOCK_VERSION = "0.6.2"
KINESIS_MOCK_NODE = 20
SHARD_LIMIT = 60
"""Open shards an account may have, on both servers; far above what one test holds open."""
SLOW_CHANGES = (
    *("CREATE_STREAM", "DELETE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS", "UPDATE_SHARD_COUNT", "UPDATE_STREAM_MODE"),
    *("REGISTER_STREAM_CONSUMER", "DEREGISTER_STREAM_CONSUMER", "START_STREAM_ENCRYPTION", "STOP_STREAM_ENCRYPTION"),
)
"""What kinesis-mock takes 500 ms for, unless told otherwise."""
START_SECONDS = 30.0
STOP_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server: plain HTTP/1.1 at ``endpoint``, process ``pid``."""

    name: ServerName
    endpoint: str
    pid: int

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def step_clock(server: Server) -> None:
    """Moves a server's clock forward by the ``clock_step_ms`` that it was started with."""
    os.kill(server.pid, signal.SIGUSR2)


@contextmanager
def embedded_kinesis(folder: Path, *options: str, clock_step_ms: int = 0) -> Iterator[Server]:
    """Our server with no throughput limits, unless ``options`` set them."""
    port = free_port()
    module = [str(Path(__file__).with_name("stepped_clock.py"))] if clock_step_ms else ["-m", "clickstream.infra.local.kinesis"]
    quota = ("--shard-quota", str(SHARD_LIMIT))
    # a change takes a while, as on AWS: a suite that never sees CREATING would not notice a stream that starts so
    transition = ("--transition-ms", "10")
    command = [sys.executable, *module, "--port", str(port), *quota, *transition, *options]
    env = {"CLOCK_STEP_MS": str(clock_step_ms)}
    with _running(command, folder=folder, env=env, health=f"http://127.0.0.1:{port}/health") as pid:
        yield Server(name="embedded", endpoint=f"http://127.0.0.1:{port}", pid=pid)


@contextmanager
def kinesis_mock(folder: Path, *, clock_step_ms: int = 0) -> Iterator[Server]:
    """kinesis-mock without its artificial delays."""
    package = _installed_kinesis_mock()
    shutil.copy(package / "server.json", folder)  # read from the working directory
    port = free_port()
    env = {
        **{f"{change}_DURATION": "1ms" for change in SLOW_CHANGES},
        "KINESIS_MOCK_PLAIN_PORT": str(port),
        "KINESIS_MOCK_TLS_PORT": str(free_port()),
        "SHARD_LIMIT": str(SHARD_LIMIT),
        "LOG_LEVEL": "ERROR",
        "CLOCK_STEP_MS": str(clock_step_ms),
    }
    command = ["node", "--require", str(Path(__file__).with_name("kinesis_mock_preload.cjs")), str(package / "main.js")]
    # it waits for idle connections before it ends on SIGTERM, and has nothing to save
    health = f"http://127.0.0.1:{port}/healthcheck"
    with _running(command, folder=folder, env=env, health=health, stop_by=signal.SIGKILL) as pid:
        yield Server(name="kinesis-mock", endpoint=f"http://127.0.0.1:{port}", pid=pid)


@contextmanager
def _running(
    command: Sequence[str],
    *,
    folder: Path,
    env: Mapping[str, str],
    health: str,
    stop_by: signal.Signals = signal.SIGTERM,
) -> Iterator[int]:
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(health):
            if process.poll() is not None:
                pytest.fail(f"{command[0]} ended with {process.returncode} at its start:\n{log.read_text()[-2000:]}")
            if time.monotonic() > deadline:
                pytest.fail(f"{health} did not answer within {START_SECONDS:.0f} s:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.send_signal(stop_by)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail(f"{' '.join(command)} did not stop within {STOP_SECONDS:.0f} s of {stop_by.name}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _installed_kinesis_mock() -> Path:
    """The npm package's folder; installs it under .local/ when missing."""
    prefix = ROOT / ".local" / "kinesis-mock"
    package = prefix / "node_modules" / "kinesis-local"
    _need(shutil.which("node") is not None, f"kinesis-mock needs node {KINESIS_MOCK_NODE} or newer, and there is none")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    _need(
        int(version.lstrip("v").partition(".")[0]) >= KINESIS_MOCK_NODE,
        f"kinesis-mock needs node {KINESIS_MOCK_NODE} or newer, and this is {version}",
    )
    if not (package / "main.js").exists():
        _need(shutil.which("npm") is not None, "kinesis-mock is not installed, and there is no npm to install it with")
        wanted = f"kinesis-local@{KINESIS_MOCK_VERSION}"
        install = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(prefix), wanted],
            capture_output=True,
            text=True,
            check=False,
        )
        _need(install.returncode == 0, f"npm could not install {wanted}: {install.stderr.strip()[-500:]}")
    return package


def _need(met: bool, reason: str) -> None:
    """The oracle may be missing on a laptop; in CI it may not."""
    if met:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
