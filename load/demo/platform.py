"""``clickstream up`` as a child of the demonstration, and the commands that run beside it."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import IO

import click

from clickstream.infra.local.processes import Heartbeat, tethered
from clickstream.settings import child_environment

_LOOK_S = 0.25
#: `clickstream up` drains its workers within 45 s of its own.
_STOP_S = 60.0
_READY = "ready"
#: Without these a child would find another AWS, or none.
_EXPORTED = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
_WORKER_STARTED = "started analytics"
_CLI = (sys.executable, "-P", "-m", "clickstream.cli")


class PartEnded(Exception):
    """``clickstream up`` ended by itself; its last words, and why, are on stderr already."""


class Platform:
    """``clickstream up`` as a child: started, awaited, ended."""

    def __init__(self, shards: int, port: int, *options: str) -> None:
        free = ("--collect-port", "0", "--aws-port", "0", "--kinesis-port", "0")
        command = [*_CLI, "up", "--shards", str(shards), "--port", str(port), *free, *options]
        # a session of its own: Ctrl-C reaches us alone, and the load ends before what it talks to
        self._process = subprocess.Popen(
            tethered(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self._ready = threading.Event()
        self._exported = threading.Event()
        self._exports: dict[str, str] = {}
        self.workers_started = time.monotonic()
        """Of the monotonic clock; until the workers start, the time of our own start."""
        self._readers = [
            _reader(self._process.stdout, self._on_data),
            _reader(self._process.stderr, self._on_log),
        ]

    def _on_data(self, line: str) -> None:
        click.echo(line, err=True)  # to be pasted; our own data is the summary
        for word in shlex.split(line.partition("export ")[2]):
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
        _end(self._process, signal.SIGTERM)
        for reader in self._readers:
            reader.join(_LOOK_S)


def _reader(stream: IO[str] | None, take: Callable[[str], None]) -> threading.Thread:
    """A running thread that hands each line of a pipe to ``take``."""

    def read() -> None:
        for line in stream or ():
            take(line.rstrip("\n"))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _end(process: subprocess.Popen[str], by: signal.Signals) -> None:
    """Ask a child to end; kill it when it does not end in time."""
    if process.poll() is None:
        process.send_signal(by)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(platform: Platform, arguments: Sequence[str], environment: dict[str, str], *, waiting: str = "") -> tuple[int, str]:
    """A clickstream command beside the platform: its exit code and stdout. Raises PartEnded when the platform ends first.

    ``waiting``: what is told now and then of a command that says nothing itself.
    """
    beat = Heartbeat(partial(click.echo, err=True), every_s=10.0)
    process = subprocess.Popen(
        tethered([*_CLI, *arguments]), env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    lines: list[str] = []
    reader = _reader(process.stdout, lines.append)
    try:
        while True:
            try:
                code = process.wait(_LOOK_S)
                break
            except subprocess.TimeoutExpired:
                platform.check()
                if waiting:
                    beat(waiting)
    finally:
        _end(process, signal.SIGINT)
    reader.join()
    return code, "\n".join(lines)
