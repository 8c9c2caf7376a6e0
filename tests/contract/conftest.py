"""Fixtures of the contract suite: every test that asks for ``kinesis`` runs once against each server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.contract.servers import Server, embedded_kinesis, kinesis_mock
from tests.contract.target import Target, new_name

NewStream = Callable[..., str]


@pytest.fixture(scope="session")
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with embedded_kinesis(tmp_path_factory.mktemp("embedded")) as server:
        yield server


@pytest.fixture(scope="session")
def mock_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with kinesis_mock(tmp_path_factory.mktemp("kinesis-mock")) as server:
        yield server


@pytest.fixture(scope="session", params=["embedded", "kinesis-mock"])
def kinesis(request: pytest.FixtureRequest) -> Target:
    """The server under the contract, behind boto3."""
    fixture = {"embedded": "embedded_server", "kinesis-mock": "mock_server"}[request.param]
    return Target(request.getfixturevalue(fixture))


@pytest.fixture(scope="module")
def new_stream(kinesis: Target) -> Iterator[NewStream]:
    """Makes streams that are ACTIVE, and deletes them after the module's tests: open shards count against the quota."""
    made: list[str] = []

    def new(shards: int = 1) -> str:
        stream = new_name()
        made.append(stream)
        kinesis.client.create_stream(StreamName=stream, ShardCount=shards)
        kinesis.until_active(stream)
        return stream

    yield new
    for stream in made:
        kinesis.delete(stream)
