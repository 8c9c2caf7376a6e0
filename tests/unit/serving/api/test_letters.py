"""Dead letters over HTTP: by their cause, page by page, and what is said while the queue is away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from clickstream.serving.app import create_app
from tests.unit.serving.letterbox import HOSTILE, Letterbox
from tests.unit.serving.shop import Shop


@pytest.fixture
def box() -> Letterbox:
    return Letterbox()


@pytest.fixture
def client(box: Letterbox) -> Iterator[TestClient]:
    shop = Shop()
    app = create_app(shop, shop.clock, monotonic=shop.clock, letters=box)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def pages(client: TestClient, **asked: str) -> list[Any]:
    found = [client.get("/v1/letters", params=asked).json()]
    while (before := found[-1]["next"]) is not None:
        found.append(client.get("/v1/letters", params=asked | {"before": before}).json())
    return found


def test_each_cause_is_told_once_with_the_letters_of_each_application(client: TestClient) -> None:
    first, *_ = pages(client)
    worst, *others = first["causes"]
    assert (worst["reason"], worst["letters"]) == (HOSTILE, 40)
    assert worst["applications"] == {"analytics": 10, "fraud": 10, "orders": 10, "archive": 10}
    assert (worst["last"] - worst["first"], worst["example"]) == (3_900, f"{39:012x}")
    assert {(each["kind"], each["letters"]) for each in others} == {("effect", 1), ("bug", 1)}
    assert (first["seen"], first["visible"], first["hidden"]) == (42, 42, 3)


def test_pages_hold_every_letter_once_the_latest_first(client: TestClient, box: Letterbox) -> None:
    found = pages(client, count="15")
    ids = [int(each["id"], 16) for page in found for each in page["letters"]]
    assert (ids, len(found)) == ([*range(41, -1, -1)], 3)
    cause = found[0]["causes"][0]["cause"]
    assert [len(page["letters"]) for page in pages(client, cause=cause)] == [25, 15]
    assert box.looks == 1, "all who ask share one look"


@pytest.mark.parametrize("before", ["x", "~", "1" * 400, "٣~a"])
def test_no_answer_had_this_next(client: TestClient, before: str) -> None:
    assert client.get("/v1/letters", params={"before": before}).status_code == 400


def test_while_the_queue_is_away_the_answer_says_so(client: TestClient, box: Letterbox) -> None:
    box.down = True
    answer = client.get("/v1/letters")
    assert (answer.status_code, answer.json()["error"]) == (503, "SQS: it does not answer")
    assert client.get("/letters").status_code == 200


def test_a_sheet_has_a_line_for_each_letter(client: TestClient) -> None:
    lines = client.get("/v1/letters?format=csv&count=2").text.splitlines()
    assert lines[0].lstrip("\ufeff") == "id,application,shard,arrived_at,kind,reason,path,event_id"
    assert len(lines) == 3
    assert "2026-11-24T13:37:" in lines[1]


def test_without_a_queue_there_is_no_page() -> None:
    shop = Shop()
    with TestClient(create_app(shop, shop.clock, monotonic=shop.clock), base_url="http://127.0.0.1") as client:
        assert {client.get(path).status_code for path in ("/letters", "/v1/letters")} == {404}
        assert "/letters" not in client.get("/pipeline").text
