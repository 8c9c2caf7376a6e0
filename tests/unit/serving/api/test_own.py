"""The answers of an own application over HTTP, as a file, and on the command line: one operation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from clickstream.answers import HOUR
from clickstream.answers.reading import Answers
from clickstream.cli import main
from clickstream.consumers.needs import short_applications
from clickstream.serving.app import create_app
from clickstream.settings import Settings
from tests.unit.serving import wishes
from tests.unit.serving.shop import NOW, Shop
from tests.unit.serving.wishes import THIS_HOUR, WISHES


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    monkeypatch.setenv("CLICKSTREAM_APPLICATIONS", wishes.__name__)
    monkeypatch.delenv("CLICKSTREAM_NAME", raising=False)
    with wishes.stored(monkeypatch) as clients:
        settings = Settings()
        wishes.seen(clients, settings, NOW, complete_to=THIS_HOUR)
        wishes.row(clients, settings, WISHES, THIS_HOUR, "=p1", wishes=[1, 1], wishers=["ann"], tags=["red", "red", "blue"])
        wishes.row(clients, settings, WISHES, THIS_HOUR - HOUR, "p2", wishes=[1])
        wishes.row(clients, settings, WISHES, THIS_HOUR - 24 * HOUR, "long ago", wishes=[1])
        yield Answers(clients, settings, short_applications())


@pytest.fixture
def client(answers: Answers) -> Iterator[TestClient]:
    shop = Shop()
    with TestClient(create_app(shop, shop.clock, monotonic=shop.clock, own=answers), base_url="http://localhost") as client:
        yield client


def test_rows_over_http(client: TestClient) -> None:
    answer: Any = client.get("/v1/own/wishlist/wishes").json()
    assert answer["complete_to"] == THIS_HOUR
    assert answer["cells"] == ["wishes", "wishers", "tags"]
    assert answer["rows"] == [
        {
            "start": THIS_HOUR,
            "end": THIS_HOUR + HOUR,
            "key": "=p1",
            "values": {
                "wishes": 2,
                "wishers": 1,
                "tags": [{"key": "red", "count": 2, "most": 2}, {"key": "blue", "count": 1, "most": 1}],
            },
        },
        {
            "start": THIS_HOUR - HOUR,
            "end": THIS_HOUR,
            "key": "p2",
            "values": {"wishes": 1, "wishers": 0, "tags": []},
        },
    ]
    older: Any = client.get("/v1/own/wishlist/wishes?from=2d ago&order=wishes&limit=3").json()
    assert [row["key"] for row in older["rows"]] == ["=p1", "p2", "long ago"]
    one: Any = client.get("/v1/own/wishlist/wishes?key=p2&from=2d ago").json()
    assert [row["key"] for row in one["rows"]] == ["p2"]


def test_a_file_for_a_spreadsheet(client: TestClient) -> None:
    answer = client.get("/v1/own/wishlist/wishes?format=csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="clickstream-wishlist-wishes.csv"'
    assert answer.text.removeprefix("\ufeff").splitlines() == [
        "start,end,key,wishes,wishers,tags",
        "2026-11-24T13:00:00Z,2026-11-24T14:00:00Z,'=p1,2,1,red 2; blue 1",
        "2026-11-24T12:00:00Z,2026-11-24T13:00:00Z,p2,1,0,",
    ]


@pytest.mark.parametrize(
    ("question", "hint"),
    [
        ("basket/wishes", "there is: wishlist"),
        ("wishlist/wishes?order=price", "there is: wishes, wishers"),
        ("wishlist/wishes?limit=0", "a number from 1 to 10000"),
        ("wishlist/wishes?from=2026-01-01", "ask for a shorter time"),
        ("wishlist/wishes?from=now&to=1h ago", "both are event times; `to` is exclusive"),
    ],
)
def test_what_cannot_be_answered_says_how_to_ask(client: TestClient, question: str, hint: str) -> None:
    answer = client.get(f"/v1/own/{question}")
    assert answer.status_code == 400
    assert answer.json()["hint"] == hint


def test_without_own_applications_there_is_neither_the_operation_nor_the_page() -> None:
    shop = Shop()
    with TestClient(create_app(shop, shop.clock, monotonic=shop.clock), base_url="http://localhost") as client:
        assert client.get("/v1/own/wishlist/wishes").status_code == 404
        assert client.get("/own").status_code == 404
        assert "/own" not in client.get("/").text


def asked(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["query", "own", *arguments, "--to", str(NOW)])
    assert ended.value.code == 0
    said = capsys.readouterr()
    return said.out, said.err


@pytest.mark.parametrize("form", [["--json"], ["--format", "json"]])
def test_the_command_answers_as_the_api(client: TestClient, form: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = asked(["wishlist", "wishes", "--from", "2026-11-23", "--order", "wishes", "--limit", "2", *form], capsys)
    query = f"from=2026-11-23&to={NOW}&order=wishes&limit=2"
    assert json.loads(out) == client.get(f"/v1/own/wishlist/wishes?{query}").json()


def test_the_command_writes_a_sheet_and_a_table(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = asked(["wishlist", "wishes", "--format", "csv"], capsys)
    assert out.encode() == client.get(f"/v1/own/wishlist/wishes?to={NOW}&format=csv").content
    out, err = asked(["wishlist", "wishes"], capsys)
    assert [line.split() for line in out.splitlines()] == [
        ["start", "key", "wishes", "wishers", "tags"],
        ["2026-11-24T13:00:00Z", "=p1", "2", "1", "red", "2;", "blue", "1"],
        ["2026-11-24T12:00:00Z", "p2", "1", "0"],
    ]
    assert err == "complete to 2026-11-24T13:00:00Z\n"
