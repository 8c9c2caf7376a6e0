"""The demonstration, end to end: everything up, traffic through it, and the proof that nothing was lost, duplicated or wrong.

``python -m load.demo --seconds 60 --rate 500`` ends by itself: it verifies, prints one JSON summary as its last stdout line and
exits 0 only if all is exact. Without ``--seconds`` it runs until Ctrl-C. Every part is the command that a person would use.
"""

from __future__ import annotations

import http.client
import itertools
import json
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any

import click

from clickstream.settings import child_environment, from_env
from load.driving.plan import MAX_RECORDS, MAX_SECONDS

_LOOK_S = 0.25
#: `clickstream up` drains its workers within 45 s of its own.
_STOP_S = 60.0
_READY = "ready"
#: Without these a child would find another AWS, or none.
_EXPORTED = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
_WORKER_STARTED = "started analytics"
_CLI = (sys.executable, "-m", "clickstream.cli")
#: `clickstream load verify`: not exact. Anything else that is not 0 is a failure of a part.
_NOT_EXACT = 1


class Stopped(Exception):
    """Ctrl-C or SIGTERM."""


class PartEnded(Exception):
    """``clickstream up`` ended by itself; its last words are on stderr already."""


class Platform:
    """``clickstream up`` as a child: started, awaited, ended."""

    def __init__(self, shards: int, port: int) -> None:
        free = ("--collect-port", "0", "--aws-port", "0", "--kinesis-port", "0")
        command = [*_CLI, "up", "--shards", str(shards), "--port", str(port), *free]
        # a session of its own: Ctrl-C reaches us alone, and the load ends before what it talks to
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self._ready = threading.Event()
        self._exported = threading.Event()
        self._exports: dict[str, str] = {}
        self.workers_started = time.monotonic()
        """Of the monotonic clock; until the workers start, the time of our own start."""
        self._readers = [
            threading.Thread(target=_each_line, args=(self._process.stdout, self._on_data), daemon=True),
            threading.Thread(target=_each_line, args=(self._process.stderr, self._on_log), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _on_data(self, line: str) -> None:
        for word in shlex.split(line)[1:] if line.startswith("export ") else ():
            name, _, value = word.partition("=")
            self._exports[name] = value
        if self._exports.keys() >= _EXPORTED:
            self._exported.set()

    def _on_log(self, line: str) -> None:
        click.echo(line, err=True)
        if _WORKER_STARTED in line:
            self.workers_started = time.monotonic()
        if line.rsplit(maxsplit=1)[-1:] == [_READY]:
            self._ready.set()

    def wait_until_ready(self) -> dict[str, str]:
        """The environment that leads a child to this platform; raises PartEnded."""
        # two pipes, two readers: "ready" on the one says nothing of how far the other has been read
        while not (self._ready.wait(_LOOK_S) and self._exported.wait(_LOOK_S)):
            self.check()
        return child_environment(self._exports)

    def check(self) -> None:
        """Raises PartEnded when it does not run any more."""
        if self._process.poll() is not None:
            raise PartEnded

    def stop(self) -> None:
        """Drain and end it; whatever does not end in time is killed."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for reader in self._readers:
            reader.join(_LOOK_S)


def _each_line(stream: IO[str] | None, tell: Callable[[str], None]) -> None:
    for line in stream or ():
        tell(line.rstrip("\n"))


class FirstAggregates(threading.Thread):
    """Looks at the page's own data until it shows events, and says how long after ``since`` (monotonic) that was."""

    def __init__(self, port: int, since: float) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._since = since

    def run(self) -> None:
        while not _shows_events(self._port):
            time.sleep(_LOOK_S)
        click.echo(f"first aggregates after {time.monotonic() - self._since:.1f} s (from the workers' start)", err=True)


def _shows_events(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v1/aggregates?granularity=minute")
        answer = connection.getresponse()
        body = answer.read()
        return answer.status == http.HTTPStatus.OK and bool(json.loads(body)["windows"])
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _run(platform: Platform, arguments: Sequence[str], environment: dict[str, str]) -> tuple[int, str]:
    """A clickstream command beside the platform: its exit code and stdout. Raises PartEnded when the platform ends first."""
    process = subprocess.Popen([*_CLI, *arguments], env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    lines: list[str] = []
    reader = threading.Thread(target=_each_line, args=(process.stdout, lines.append), daemon=True)
    reader.start()
    try:
        while True:
            try:
                code = process.wait(_LOOK_S)
                break
            except subprocess.TimeoutExpired:
                platform.check()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    reader.join()
    return code, "\n".join(lines)


def _demonstrate(platform: Platform, seconds: float | None, rate: float, seed: int, port: int, ledger: Path) -> int:
    environment = platform.wait_until_ready()
    FirstAggregates(port, platform.workers_started).start()
    load = ["load", "run", "--rate", str(rate), "--json"]
    if seconds is None:
        click.echo(f"{rate:g} records a second until Ctrl-C", err=True)
        # each run is bounded, as every run is: the next one takes over
        for each in itertools.count(seed):
            limits = ["--duration", str(MAX_SECONDS), "--max-records", str(MAX_RECORDS), "--no-ledger"]
            code, _ = _run(platform, [*load, *limits, "--seed", str(each)], environment)
            if code != 0:
                return code
    load += ["--duration", str(seconds), "--ledger", str(ledger), "--seed", str(seed)]
    code, sent = _run(platform, load, environment)
    if code != 0:
        click.echo(f"the load did not get through: {sent}", err=True)
        return code
    code, summary = _run(platform, ["load", "verify", "--ledger", str(ledger), "--json"], environment)
    if code in (0, _NOT_EXACT) and summary:
        report: dict[str, Any] = json.loads(summary)
        for problem in report["problems"]:
            click.echo(f"wrong: {problem}", err=True)
        click.echo(summary)
    return code


@click.command()
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Length of the traffic; without it, until Ctrl-C.")
@click.option("--rate", default=500.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Records per second.")
@click.option("--seed", default=1, show_default=True, help="The same seed is the same traffic.")
@click.option("--shards", default=4, show_default=True, type=click.IntRange(1, 100))
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="The page's.")
def demo(seconds: float | None, rate: float, seed: int, shards: int, port: int) -> None:
    """Local AWS, workers, dashboard and load at once; with --seconds also the verification."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Stopped

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    platform = Platform(shards, port)
    try:
        code = _demonstrate(platform, seconds, rate, seed, port, from_env().local_dir / "demo-ledger.json")
    except Stopped:
        # asked to run for ever, being stopped is success
        code = 0 if seconds is None else 130
    except PartEnded:
        click.echo("demo: a part of the platform ended", err=True)
        code = 1
    finally:
        # a second Ctrl-C must not leave anything behind
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        platform.stop()
    sys.exit(code)


if __name__ == "__main__":
    demo()
