"""The work list over HTTP: filters and pages, a purchase found by either id, what people do, and who may ask for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from clickstream.serving.app import create_app
from clickstream.serving.login import COOKIE, Login
from tests.unit.serving.desk import Desk
from tests.unit.serving.shop import Shop

TOKEN = "a-token-that-is-long"
ORIGIN = "http://127.0.0.1:8080"
REVIEWS = "/v1/fraud/reviews"


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def client(shop: Shop) -> Iterator[TestClient]:
    with TestClient(create_app(shop, shop.clock, risk=Desk(shop)), base_url=ORIGIN) as client:
        yield client


def asked(client: TestClient, query: str = "") -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/v1/fraud/alerts?{query}").json()
    return answer


def token(client: TestClient) -> str:
    found = re.search(r'data-token="([^"{]+)"', client.get("/fraud").text)
    assert found
    return found[1]


def did(client: TestClient, key: str, action: str, **others: Any) -> Any:
    headers = {"Origin": ORIGIN, "X-CSRF-Token": token(client)}
    return client.post(REVIEWS, json={"id": key, "action": action, "by": "eve", **others}, headers=headers)


def test_pages_follow_each_other_without_a_gap_and_filters_choose(client: TestClient) -> None:
    whole = asked(client, "count=200")
    assert whole["next"] is None
    paged, before = [], ""
    while True:
        page = asked(client, f"count=5{before}")
        paged += page["alerts"]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert paged == whole["alerts"]
    sheet = client.get("/v1/fraud/alerts?count=5&format=csv")
    assert sheet.links["next"]["url"].startswith("?count=5&format=csv&before=")
    behind = client.get("/v1/fraud/alerts" + sheet.links["next"]["url"]).text
    assert paged[5]["event_id"] in behind
    assert paged[4]["event_id"] not in behind
    assert "Link" not in client.get("/v1/fraud/alerts?count=200&format=csv").headers
    blocked = asked(client, "verdict=block")["alerts"]
    assert blocked == [each for each in paged if each["verdict"] == "block"] != []
    assert asked(client, "status=done")["alerts"] == []
    assert asked(client, "status=open")["alerts"] == paged
    assert "u-secret" not in str(paged)
    assert "user_id" not in str(paged)


def test_what_a_person_does_stands_beside_the_decision_with_who_and_when(client: TestClient, shop: Shop) -> None:
    first, second, *_ = asked(client)["alerts"]
    assert did(client, first["id"], "approve").json()["reviews"] == [{"action": "approve", "by": "eve", "at": shop.now}]
    shop.now += 1_000
    did(client, first["id"], "fraud", by="kim")
    (done,) = asked(client, "status=done")["alerts"]
    assert [(each["action"], each["by"]) for each in done["reviews"]] == [("approve", "eve"), ("fraud", "kim")]
    assert asked(client, "status=open")["alerts"][0] == second
    assert "approve by eve 2026-" in client.get("/v1/fraud/alerts?status=done&format=csv").text
    for by in (first["event_id"], first["order_id"]):
        found = client.get(f"/v1/decisions/{by}").json()
        assert found["id"] == first["id"]
        assert found["reviews"] == done["reviews"]
        assert found["features"]
        assert found["matched"] == ("event" if by == first["event_id"] else "order")
    assert client.get("/v1/decisions/nothing").status_code == 404


def test_what_is_sent_is_described(client: TestClient) -> None:
    described = client.get("/v1/openapi.json").json()
    body = described["paths"][REVIEWS]["post"]["requestBody"]["content"]["application/json"]["schema"]
    act = described["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    assert set(act["required"]) == {"id", "action", "by"}


@pytest.mark.parametrize(
    "sent", [b"", b"[]", b'{"id":"e","action":"eat","by":"eve"}', b'{"id":"e","action":"block","by":" "}', b"x" * 5_000]
)
def test_what_is_no_act_is_refused(client: TestClient, sent: bytes) -> None:
    headers = {"Origin": ORIGIN, "X-CSRF-Token": token(client)}
    assert client.post(REVIEWS, content=sent, headers=headers).status_code in (400, 413)
    assert did(client, "no-such-decision", "block").status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://shop.example", "Sec-Fetch-Site": "same-origin"}, 200),  # behind a proxy of its own name
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": ORIGIN, "X-CSRF-Token": "guess"}, 403),
        ({"Origin": ORIGIN, "Authorization": "Bearer x", "X-CSRF-Token": ""}, 403),  # nobody has looked at it
    ],
)
def test_a_page_of_another_site_changes_nothing(client: TestClient, headers: dict[str, str], status: int) -> None:
    key = asked(client)["alerts"][0]["id"]
    sent = {"X-CSRF-Token": token(client)} | headers
    answer = client.post(REVIEWS, json={"id": key, "action": "block", "by": "eve"}, headers=sent)
    assert answer.status_code == status, answer.text
    assert bool(asked(client, "status=done")["alerts"]) == (status == 200)
    assert client.get(REVIEWS).status_code == 405


def test_a_program_needs_the_login_alone_and_two_servers_have_one_token(shop: Shop) -> None:
    tokens = []
    for _ in range(2):
        app = create_app(shop, shop.clock, risk=Desk(shop), token=TOKEN)
        with TestClient(app, base_url=ORIGIN, headers={"Authorization": f"Bearer {TOKEN}"}) as program:
            key = asked(program)["alerts"][0]["id"]
            sent = {"id": key, "action": "block", "by": "eve"}
            assert program.post(REVIEWS, json=sent).status_code == 200
            assert program.post(REVIEWS, json=sent, headers={"Authorization": "Bearer guess"}).status_code == 401
            tokens.append(token(program))
        with TestClient(app, base_url=ORIGIN, cookies={COOKIE: Login(TOKEN, lambda: shop.clock() / 1000).session()}) as person:
            # a browser adds Basic by itself: it is no sign of a program
            basic = {"Authorization": "Basic dXNlcjpwdw==", "Sec-Fetch-Site": "same-site"}
            assert person.post(REVIEWS, json=sent, headers=basic).status_code == 403
    assert tokens[0] == tokens[1] != TOKEN
