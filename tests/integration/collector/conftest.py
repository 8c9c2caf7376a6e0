"""A Kinesis of the module's own with a stream of the test's own, and what a reader finds in it."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clickstream.aws import Clients
from clickstream.settings import Settings
from tests.integration.collector.processes import Running, kinesis


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with kinesis(tmp_path_factory.mktemp("kinesis")) as running:
        yield running


@pytest.fixture
def settings(server: Running, tmp_path: Path) -> Settings:
    """Settings for a stream of two shards."""
    return with_stream(server.url, tmp_path)


def with_stream(endpoint: str, folder: Path) -> Settings:
    name = f"test-{uuid.uuid4().hex[:12]}"
    settings = Settings(endpoint_url=endpoint, name=name, local_dir=folder, credentials=("test", "test"))
    Clients(settings).kinesis.create_stream(StreamName=settings.stream, ShardCount=2)
    return settings


@pytest.fixture
def faults(server: Running) -> Iterator[Callable[..., None]]:
    """Puts faults in force; ends them with the test."""
    yield lambda *each: inject(server.url, *each)
    inject(server.url)


def inject(endpoint: str, *faults: dict[str, Any]) -> None:
    """Put faults in force, or end all."""
    request = urllib.request.Request(
        f"{endpoint}/_clickstream/faults",
        data=json.dumps(faults).encode() if faults else b"",
        method="POST" if faults else "DELETE",
    )
    urllib.request.urlopen(request, timeout=10).close()
