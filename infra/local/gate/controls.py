"""Injects faults into a running embedded AWS and ends them, for drills and tests."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from clickstream.infra.local.gate.asgi import CONTROL_PATH
from clickstream.infra.local.gate.faults import Fault


class Controls:
    """The gates of the servers at these URLs; :attr:`clickstream.infra.local.stack.Stack.controls` makes one."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        self._urls = urls

    def inject(self, *faults: Fault) -> None:
        """Inject faults into all services; they are in force on return."""
        self._send("POST", faults)

    def end(self, *faults: Fault) -> None:
        """End these faults, or all of them when none is named."""
        self._send("DELETE", faults)

    @contextmanager
    def during(self, *faults: Fault) -> Iterator[None]:
        """Inject faults for the length of a ``with`` block."""
        self.inject(*faults)
        try:
            yield
        finally:
            self.end(*faults)

    def active(self) -> list[Fault]:
        """The faults in force."""
        return [Fault(**each) for each in self._state(self._urls[0])["active"]]

    def denied(self, deployment: str) -> list[str]:
        """What the policies denied to roles of this deployment: "ACCESS KEY ACTION RESOURCE", each once."""
        lines = [line for url in self._urls for line in self._state(url)["denied"]]
        return [line for line in lines if line.startswith(f"{deployment}.")]

    def _state(self, url: str) -> Any:
        with urllib.request.urlopen(url + CONTROL_PATH, timeout=10) as answer:
            return json.load(answer)

    def _send(self, method: str, faults: tuple[Fault, ...]) -> None:
        body = json.dumps([each._asdict() for each in faults]).encode() if faults else None
        for url in self._urls:
            request = urllib.request.Request(url + CONTROL_PATH, data=body, method=method)
            with urllib.request.urlopen(request, timeout=10):
                continue
