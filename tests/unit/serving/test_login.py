"""The login: what is told without it, and how one gets in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from clickstream.serving.app import create_app
from clickstream.serving.login import COOKIE, SESSION_S, Guesses, Login, client_keys
from tests.unit.serving.desk import Desk, Window
from tests.unit.serving.shop import Shop

TOKEN = "a-token-that-is-long"


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def client(shop: Shop) -> Iterator[TestClient]:
    app = create_app(shop, shop.clock, monotonic=shop.clock, risk=Desk(shop), offers=Window(shop), token=TOKEN)
    with TestClient(app, base_url="http://127.0.0.1:8080", follow_redirects=False) as client:
        yield client


HIDDEN = [
    "/v1/aggregates",
    "/v1/progress",
    "/v1/live/pipeline",
    "/v1/fraud/alerts",
    "/v1/decisions/e",
    "/v1/recommendations/u",
    "/v1/openapi.json",
    "/",
    "/fraud",
    "/nowhere",
    "/loginx",
]


@pytest.mark.parametrize("path", HIDDEN)
def test_nothing_is_told_without_it(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["hint"]
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("path", ["/healthz", "/static/style.css", "/favicon.ico", "/login"])
def test_what_needs_none(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 200


def test_a_person_is_sent_to_the_form_and_back(client: TestClient) -> None:
    asked = client.get("/explain?event=a b&user=u", headers={"Accept": "text/html,*/*"})
    assert parse_qs(urlsplit(asked.headers["Location"]).query)["next"] == ["/explain?event=a%20b&user=u"]
    sent = client.get("/fraud", headers={"Accept": "text/html,*/*"})
    assert (sent.status_code, sent.headers["Location"]) == (303, "/login?next=/fraud")
    wrong = client.post(sent.headers["Location"], data={"token": "guess"})
    assert wrong.status_code == 403
    assert "not the token" in wrong.text
    assert COOKIE not in client.cookies
    right = client.post(sent.headers["Location"], data={"token": f" {TOKEN}\n"})
    assert (right.status_code, right.headers["Location"]) == (303, "/fraud")
    for attribute in ("HttpOnly", "SameSite=strict"):
        assert attribute in right.headers["Set-Cookie"]
    assert TOKEN not in right.headers["Set-Cookie"]
    assert client.get("/fraud").status_code == 200


@pytest.mark.parametrize("elsewhere", ["//evil.example/", "https://evil.example/", "/\\evil.example", ""])
def test_it_leads_nowhere_else(client: TestClient, elsewhere: str) -> None:
    answer = client.post("/login", params={"next": elsewhere}, data={"token": TOKEN})
    assert answer.headers["Location"] == "/"


def test_a_session_ends(client: TestClient, shop: Shop) -> None:
    client.post("/login", data={"token": TOKEN})
    assert client.get("/v1/progress").status_code == 200
    shop.now += SESSION_S * 1000 + 1000
    assert client.get("/v1/progress").status_code == 401


def test_a_program_sends_the_token(client: TestClient) -> None:
    assert client.get("/v1/progress", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get("/v1/progress", headers={"Authorization": "Bearer other"}).status_code == 401
    assert client.get("/v1/progress", headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401


@pytest.mark.parametrize("cookie", ["", ".", "9999999999.", "9999999999.00", "x.y", "９９.aa", f"{'9' * 40}.aa"])
def test_a_made_up_session_is_none(client: TestClient, cookie: str) -> None:
    assert client.get("/v1/progress", headers=[(b"Cookie", f"{COOKIE}={cookie}".encode())]).status_code == 401


def test_a_session_of_another_token_is_none() -> None:
    other = Login("another-token-entirely", lambda: 1000.0).session()
    assert not Login(TOKEN, lambda: 1000.0).admits(Headers(), other)
    assert Login(TOKEN, lambda: 1000.0).admits(Headers(), Login(TOKEN, lambda: 900.0).session())


def test_a_form_that_is_too_large_is_not_read(client: TestClient) -> None:
    assert client.post("/login", data={"token": "x" * 10_000}).status_code == 413


def test_a_clients_key_opens_a_visitors_recommendations_and_nothing_else(shop: Shop) -> None:
    entry = {"name": "web", "sha256": hashlib.sha256(b"ck_web").hexdigest(), "rate": 1}
    known = client_keys(json.dumps({"keys": [entry]}))
    app = create_app(shop, shop.clock, monotonic=shop.clock, offers=Window(shop), token=TOKEN, client_keys=known)
    with TestClient(app, base_url="http://127.0.0.1:8080", follow_redirects=False) as client:
        assert client.get("/v1/recommendations/u", headers={"X-API-Key": "ck_web"}).status_code == 200
        for key in ("ck_we", "", "ck_web ck_web"):
            assert client.get("/v1/recommendations/u", headers={"X-API-Key": key}).status_code == 401
        assert client.get("/v1/recommendations/u").status_code == 401
        for path in ("/v1/progress", "/", "/v1/recommendations?viewed=a", "/v1/aggregates"):
            assert client.get(path, headers={"X-API-Key": "ck_web"}).status_code == 401, path


def test_guesses_are_few_by_form_and_by_header_together_and_a_session_stays_in(client: TestClient, shop: Shop) -> None:
    assert client.post("/login", data={"token": TOKEN}).status_code == 303  # the client keeps the cookie
    for _ in range(Guesses.MOST // 2):
        assert client.post("/login", data={"token": "wrong"}).status_code == 403
        assert client.get("/v1/progress", headers={"Authorization": "Bearer wrong"}).status_code == 401
    for answer in (
        client.post("/login", data={"token": TOKEN}),
        client.get("/v1/progress", headers={"Authorization": f"Bearer {TOKEN}"}),
    ):
        assert answer.status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= Guesses.PERIOD_S
    assert client.get("/v1/progress").status_code == 200
    shop.now += Guesses.PERIOD_S * 1000
    assert client.post("/login", data={"token": TOKEN}).status_code == 303
