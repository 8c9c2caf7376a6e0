"""The read API against its own OpenAPI document: every answer, for any question, is as it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from clickstream.answers.reading import Answers
from clickstream.aws import Clients
from clickstream.serving.api.routes import OPERATIONS
from clickstream.serving.app import create_app
from clickstream.settings import Settings
from tests.property.http.json_schemas import Document
from tests.unit.serving.desk import Desk, Window
from tests.unit.serving.letterbox import Letterbox
from tests.unit.serving.lives import Lives
from tests.unit.serving.shop import Shop


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="module")
def client(shop: Shop) -> Iterator[TestClient]:
    # no application is declared here, so every question about one is a mistake
    own = Answers(Clients(Settings()), Settings(), {})
    app = create_app(
        shop,
        shop.clock,
        monotonic=shop.clock,
        risk=Desk(shop),
        offers=Window(shop),
        lives=Lives().life,
        letters=Letterbox(),
        own=own,
    )
    with TestClient(app, base_url="http://127.0.0.1:8080") as client:
        yield client


@pytest.fixture(scope="module")
def described(client: TestClient) -> Document:
    return Document(client.get("/v1/openapi.json").json())


_times = st.sampled_from(["now", "1h ago", "90m", "2026-11-24T13:00Z", "0", "-1", "yesterday", "1795527440000"])


def _questions(parameters: list[dict[str, Any]], described: Document) -> st.SearchStrategy[dict[str, Any]]:
    """Allowed values, times, and any text."""
    fields = {
        each["name"]: _times if each["name"] in ("from", "to") else described.values(each["schema"]) | st.text(max_size=12)
        for each in parameters
        if each["in"] == "query"
    }
    return st.fixed_dictionaries({}, optional=fields)


def test_every_operation_is_described(described: Document) -> None:
    assert set(described.root["paths"]) == {operation.path for operation in OPERATIONS}


@pytest.mark.parametrize("path", [operation.path for operation in OPERATIONS if operation.body is None])
@pytest.mark.parametrize("down", [False, True])
def test_whatever_is_asked_is_answered_as_described(
    client: TestClient, shop: Shop, described: Document, path: str, down: bool
) -> None:
    operation = described.root["paths"][path]["get"]

    @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(
        _questions(operation["parameters"], described),
        st.sampled_from(["u-7", "somebody", "019abc00-0000", "x y/z", "a/b", "down"]),
    )
    def ask(question: dict[str, Any], subject: str) -> None:
        answer = client.get(path.replace("{user_id}", subject).replace("{event_id}", subject), params=question)
        response = operation["responses"][str(answer.status_code)]
        if answer.headers["content-type"].startswith("text/csv"):
            assert "text/csv" in response["content"]
            return
        assert described.faults(response["content"]["application/json"]["schema"], json.loads(answer.content)) == []

    shop.down = down
    try:
        ask()
    finally:
        shop.down = False
