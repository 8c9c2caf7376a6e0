"""Terminals as a person has them: one keeps a program running, in the other commands are typed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

_DONE = "tutorial-command-ended"


class Terminal:
    """A shell that keeps its variables and folder from one command to the next."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._shell = subprocess.Popen(
            ["bash"],
            env=environment,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            start_new_session=True,
        )

    def begin(self, command: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(command + "\n")

    def run(self, command: str, code: int = 0) -> str:
        """What it has said; fails unless it exits with ``code``."""
        self.begin(f"{command}\necho {_DONE} $?")
        said = ""
        for line in self.said():
            before, marked, ended = line.partition(_DONE)
            said += before
            if marked:
                assert ended.strip() == str(code), f"{command}\n{said}"
                return said
        raise AssertionError(f"the shell ended: {command}\n{said}")

    def said(self) -> Iterator[str]:
        assert self._shell.stdout is not None
        while line := self._shell.stdout.readline():  # `yield from` would close it with the generator
            yield line

    def interrupt(self) -> None:
        """Ctrl-C, and the end of the terminal."""
        if self._shell.poll() is None:
            assert self._shell.stdin is not None
            self._shell.stdin.close()
            os.killpg(self._shell.pid, signal.SIGINT)
            try:
                self._shell.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(self._shell.pid, signal.SIGKILL)
                self._shell.wait()
        if self._shell.stdout is not None:
            self._shell.stdout.close()


def started(terminal: Terminal, command: str) -> str:
    """The line to paste, once it is ready."""
    terminal.begin(command)
    pasted = ""
    ready = False
    heard = ""
    for line in terminal.said():
        heard += line
        ready = ready or "clickstream: ready" in line
        if line.startswith("export "):
            pasted = line.strip()
        if ready and pasted:
            return pasted
    raise AssertionError(heard)


def free_ports() -> dict[str, str]:
    """The pages' ports → free ones: others run beside the tests."""
    sockets = [socket.socket() for _ in range(2)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    free = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return dict(zip(("8080", "8081"), free, strict=True))


def on_ports(text: str, ports: dict[str, str]) -> str:
    for written, free in ports.items():
        text = text.replace(f"127.0.0.1:{written}", f"127.0.0.1:{free}")
    return text
