"""Local Kinesis servers, started for a measurement: ours and the three others that one might use instead."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from clickstream.errors import UserMistake
from clickstream.settings import Settings, child_environment, environment
from infra.local import ministack
from infra.local.processes import Children, Process, wait_until

KINESIS_MOCK = "kinesis-local@0.6.2"
REGION = "us-east-1"
#: None of the servers checks a signature.
CREDENTIALS = ("test", "test")
_START_SECONDS = 60.0
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_ROOT = Path(__file__).parents[2]


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server that answers at ``url``."""

    name: str
    url: str
    process: Process

    @property
    def settings(self) -> Settings:
        """For our own clients."""
        return Settings(region=REGION, endpoint_url=self.url, credentials=CREDENTIALS)

    def cpu_seconds(self) -> float:
        """CPU time that it has used so far, all threads; from Linux's /proc."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

    def resident_mib(self) -> float:
        """Memory that it holds now; from Linux's /proc."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Starter:
    """Starts servers in ``folder``, each on the last core alone if ``pinned``; they end with ``children``."""

    def __init__(self, children: Children, folder: Path, *, pinned: bool = False) -> None:
        self._children = children
        self._folder = folder
        self._pin = _pin() if pinned else []

    def embedded(self, *options: str) -> Server:
        """Ours."""
        port = _free_port()
        command = [sys.executable, "-m", "infra.local.kinesis", "--port", str(port), *options]
        return self._start("ours", command, port, "/health", {"PYTHONPATH": str(_ROOT)})

    def ministack(self, home: Path) -> Server:
        """ministack, from its own environment under ``home``, which is built when it is missing."""
        python = ministack.install(home.absolute(), say=lambda _: None)
        port = _free_port()
        environment = ministack.environment(port, self._folder, None, REGION)
        return self._start("ministack", ministack.command(python), port, ministack.HEALTH, environment)

    def moto(self) -> Server:
        """moto's server, which is among our development dependencies."""
        port = _free_port()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        return self._start("moto", command, port, "/moto-api/", {})

    def kinesis_mock(self, home: Path) -> Server:
        """kinesis-mock, the npm package, installed under ``home`` when it is missing."""
        package = _kinesis_mock(home.absolute() / "kinesis-mock")
        shutil.copy(package / "server.json", self._folder)  # read from the working directory
        port, tls = _free_port(), _free_port()
        environment = {
            "KINESIS_MOCK_PLAIN_PORT": str(port),
            "KINESIS_MOCK_TLS_PORT": str(tls),
            "CREATE_STREAM_DURATION": "1ms",
            "LOG_LEVEL": "ERROR",
        }
        command = ["sh", "-c", f'cd "{self._folder}" && exec "$@"', "sh", "node", str(package / "main.js")]
        return self._start("kinesis-mock", command, port, "/healthcheck", environment)

    def program(self, name: str, before_port: Sequence[str], after_port: Sequence[str], settings: Settings) -> Server:
        """A Python program of ours that serves ``/healthz`` on the port it is given, with ``settings`` as its environment."""
        port = _free_port()
        command = [sys.executable, *before_port, str(port), *after_port]
        return self._start(name, command, port, "/healthz", environment(settings, {"PYTHONPATH": str(_ROOT)}))

    def _start(self, name: str, command: Sequence[str], port: int, health: str, environment: Mapping[str, str]) -> Server:
        process = self._children.start(
            name,
            [*self._pin, *command],
            environment=child_environment(environment),
            log=self._folder / f"{name}.log",
        )
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(url + health), name, time.monotonic() + _START_SECONDS, check=self._children.check)
        return Server(name=name, url=url, process=process)


def keep_off_the_servers_core() -> None:
    """Confine this process to the other cores, where there are any."""
    if _pin():
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:-1])


def _pin() -> list[str]:
    """A command's prefix that confines it to the last core."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return ["taskset", "-c", str(cores[-1])] if len(cores) > 1 and shutil.which("taskset") else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _kinesis_mock(prefix: Path) -> Path:
    package = prefix / "node_modules" / "kinesis-local"
    if (package / "main.js").exists():
        return package
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise UserMistake("kinesis-mock needs node 20 or newer and npm", hint="leave it out with --only")
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(prefix), KINESIS_MOCK]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserMistake(f"npm could not install {KINESIS_MOCK}: {done.stderr.strip()[-300:]}")
    return package
