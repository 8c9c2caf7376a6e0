"""An embedded Kinesis for the write side alone: with limits enforced, and with faults on demand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clickstream.aws import Clients
from clickstream.settings import Settings


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An embedded Kinesis that enforces the limits of shards."""
    command = [sys.executable, "-m", "clickstream.infra.local.kinesis", "--port", "0", "--limits"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        ready = re.search(r"ready on (\S+)", server.stderr.readline())
        assert ready is not None
        yield ready.group(1)
        server.terminate()


@pytest.fixture
def settings(endpoint: str) -> Settings:
    """Settings with the name of a stream of the test's own, which does not exist yet."""
    return Settings(endpoint_url=endpoint, name=f"test-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def kinesis(settings: Settings) -> Any:
    """A client, with a stream of two shards."""
    client = Clients(settings).kinesis
    client.create_stream(StreamName=settings.stream, ShardCount=2)
    return client


@pytest.fixture
def faults(endpoint: str) -> Iterator[Callable[..., None]]:
    """Puts faults in force; ends them with the test."""

    def send(method: str, body: bytes) -> None:
        request = urllib.request.Request(f"{endpoint}/_clickstream/faults", data=body, method=method)
        urllib.request.urlopen(request, timeout=10).close()

    yield lambda *each: send("POST", json.dumps(each).encode()) if each else send("DELETE", b"")
    send("DELETE", b"")
