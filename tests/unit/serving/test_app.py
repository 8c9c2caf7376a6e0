"""The HTTP answers: what is served, how errors look, and what every answer carries."""

from __future__ import annotations

import csv
import hashlib
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from clickstream.serving.api.operation import table
from clickstream.serving.app import create_app
from clickstream.serving.pages.frame import STATIC
from clickstream.serving.security import HEADERS
from tests.unit.serving.desk import Desk, Window
from tests.unit.serving.shop import NOW, Shop

PAGES = ["/", "/fraud", "/recommendations", "/pipeline", "/api"]
API = ["/v1/aggregates", "/v1/progress", "/v1/fraud/decided", "/v1/fraud/alerts"]
FILES = ["/favicon.ico", "/static/frame.js", "/static/style.css"]
PATHS = [*PAGES, *API, *FILES, "/healthz", "/readyz", "/v1/openapi.json"]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def client(shop: Shop) -> Iterator[TestClient]:
    app = create_app(shop, shop.clock, monotonic=shop.clock, risk=Desk(shop), offers=Window(shop))
    with TestClient(app, base_url="http://127.0.0.1:8080", raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("path", [*PATHS, "/nowhere", "/v1/aggregates?granularity=week", "/static/../app.py"])
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    answer = client.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", PATHS)
def test_what_is_served(client: TestClient, path: str) -> None:
    if path == "/readyz":
        wait_until_read(client)
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.content


def wait_until_read(client: TestClient) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if client.get("/readyz").status_code == 200:
            return
    raise AssertionError(client.get("/readyz").text)


def test_aggregates(client: TestClient, shop: Shop) -> None:
    answer: Any = client.get("/v1/aggregates?granularity=minute&from=2026-11-24T13:30:00Z&to=2026-11-24T13:32:30Z&top=2").json()
    expected = shop.windows("minute", answer["from"], answer["to"], top=2)
    assert (answer["granularity"], answer["from"], answer["to"]) == ("minute", 1_795_527_000_000, 1_795_527_180_000)
    assert answer["complete_to"] == shop.now - 540  # the shard that lags by 340 ms holds back
    assert [window["start"] for window in answer["windows"]] == [window.start_ms for window in expected] != []
    for window, made in zip(answer["windows"], expected, strict=True):
        assert window["counts"] == made.counts
        assert window["events"] == sum(made.counts.values())
        assert window["revenue"] == made.revenue
        assert window["orders"] == made.counts["purchase"]
        assert window["uniques"] == {"value": made.uniques.value, "low": made.uniques.low, "high": made.uniques.high}
        assert window["funnel"] == {"view": made.funnel.view, "cart": made.funnel.cart, "purchase": made.funnel.purchase}
        assert [tuple(entry) for entry in window["products"]] == made.tops["products"].entries
        assert len(window["products"]) == 2
        assert window["bounds"] == {"searches": 2}
        assert window["complete"]


def test_a_window_is_complete_when_every_shard_has_passed_its_end(client: TestClient) -> None:
    windows: Any = client.get("/v1/aggregates?granularity=minute").json()["windows"]
    assert [window["complete"] for window in windows] == [True] * (len(windows) - 1) + [False]


def test_progress(client: TestClient, shop: Shop) -> None:
    answer: Any = client.get("/v1/progress").json()
    assert [(row["application"], row["shard"], row["lag_ms"], row["dead_letters"]) for row in answer["progress"]] == [
        ("analytics", "shardId-000000000000", 0, 0),
        ("analytics", "shardId-000000000001", 340, 0),
        ("fraud", "shardId-000000000000", 0, 0),
        ("fraud", "shardId-000000000001", 95_000, 3),
        ("recommendations", "shardId-000000000000", 0, 0),
        ("recommendations", "shardId-000000000001", 0, 0),
    ]
    assert {row["age_ms"] for row in answer["progress"]} == {300}
    assert {row["checkpoint_age_ms"] for row in answer["progress"]} == {900}
    assert [(each["application"], each["shards"], each["lag_ms"]) for each in answer["applications"]] == [
        ("analytics", 2, 340),
        ("fraud", 2, 95_000),
        ("recommendations", 2, 0),
    ]
    assert answer["complete_to"] == shop.now - 840  # of every granularity: hours are written less often
    assert (answer["lateness_ms"], answer["late_share"]) == (0, 0)
    assert {"owner", "position", "watermark", "events", "duplicates"} <= answer["progress"][0].keys()


@pytest.mark.parametrize(
    "query",
    [
        "granularity=week",
        "from=yesterday",
        "to=-5",
        "top=0",
        "top=101",
        "top=many",
        "from=2026-01-01&to=2026-11-01",
        "from=5&to=5",
        "to=99999999999999999",
        "from=20261130",
        "to=1795527440",
        "country=DE",
        "granularity=minute&granularity=day",
    ],
)
def test_a_bad_question_is_400_with_a_hint(client: TestClient, query: str) -> None:
    answer = client.get(f"/v1/aggregates?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert answer.json()["hint"]


@pytest.mark.parametrize("path", [*API, "/v1/decisions/e-1"])
def test_a_store_that_is_away_is_503_with_a_hint(client: TestClient, shop: Shop, path: str) -> None:
    shop.down = True
    shop.now += 1_000  # what a page has just read is shared for a moment
    answer = client.get(path)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "DynamoDB" in answer.json()["error"]
    assert answer.json()["hint"]


def test_health_and_readiness_tell_the_sides_apart(shop: Shop) -> None:
    shop.down = True
    with TestClient(create_app(shop, shop.clock, monotonic=shop.clock, period_s=0.001), base_url="http://localhost") as client:
        assert client.get("/healthz").status_code == 200
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["stuck"] == "stores"
        shop.down = False
        wait_until_read(client)
        shop.down = True
        shop.now += 60_000
        assert client.get("/readyz").status_code == 503


def test_a_silent_application_is_not_ready_within_fifteen_seconds(shop: Shop) -> None:
    """While the others talk. A shard without traffic talks too; an application that was retired is not to."""
    # with a real monotonic clock: a reading that the test's clock overtakes is not shared for ever
    with TestClient(create_app(shop, shop.clock, period_s=0.001), base_url="http://localhost") as client:
        wait_until_read(client)
        shop.pace = 0  # an idle shop
        shop.now += 600_000
        assert read_at(client, shop.now)["status"] == "ready"
        shop.silent, shop.silent_since = "analytics", shop.now
        shop.now += 15_000
        told = read_at(client, shop.now)
        assert (told["status"], told["stuck"]) == ("not ready", "applications")
        assert told["reason"] == "analytics has been silent for 15 s"
        shop.retired_at = shop.now
        shop.now += 60_000
        assert read_at(client, shop.now)["status"] == "ready"


def read_at(client: TestClient, now_ms: int) -> dict[str, Any]:
    """What /readyz says once the stores were read at that time."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        told: dict[str, Any] = client.get("/readyz").json()
        if told["read_at"] == now_ms:
            return told
    raise AssertionError(client.get("/readyz").text)


def test_a_fault_of_ours_shows_no_traceback(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("a secret of the code")

    monkeypatch.setattr(shop, "progress", broken)
    # without the lifespan there is no live feed that the fault would end too
    client = TestClient(
        create_app(shop, shop.clock, monotonic=shop.clock), base_url="http://127.0.0.1", raise_server_exceptions=False
    )
    answer = client.get("/v1/aggregates")
    assert answer.status_code == 500
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/static/nothing.js", 404), ("/static/..%2fapp.py", 404)])
def test_what_is_not_there(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_only_reading_is_allowed(client: TestClient) -> None:
    assert client.post("/v1/aggregates").status_code == 405


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8080", 200), ("localhost", 200), ("[::1]:8080", 200), ("LOCALHOST:1", 200), ("shop.example", 421), ("", 421)],
)
def test_on_loopback_a_foreign_host_name_is_refused(client: TestClient, host: str, status: int) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == status


def test_the_page_has_no_inline_script_or_style_and_no_outside_address() -> None:
    own = [file for file in STATIC.rglob("*.*") if "vendor" not in file.parts]
    files = own + [file for file in (STATIC.parent / "pages").rglob("*.*") if file.suffix in (".js", ".html")]
    assert len(files) > 20
    for file in files:
        text = file.read_text()
        # the namespace of SVG is a name, not a request
        assert not re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", text.replace("http://www.w3.org/2000/svg", "")), file
        if file.suffix == ".html":
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("uPlot.iife.min.js", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"),
        ("uPlot.min.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
        ("LICENSE", "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd"),
    ],
)
def test_the_vendored_chart_library_is_the_published_one(name: str, digest: str) -> None:
    assert hashlib.sha256((STATIC / "vendor" / "uplot-1.6.32" / name).read_bytes()).hexdigest() == digest


def test_the_shop_of_these_tests_is_at_a_known_time() -> None:
    assert NOW % 60_000 == 20_000


def test_the_latest_alarms_with_reasons_and_without_names(client: TestClient) -> None:
    answer: Any = client.get("/v1/fraud/alerts?count=3").json()["alerts"]
    assert len(answer) == 3
    assert answer[0]["reasons"][0] == {"feature": "failed_logins_1h", "value": 6.0, "effect": 2.41}
    assert answer[0]["reasons"][2]["value"] is None  # a missing value
    assert "user_id" not in answer[0]
    one: Any = client.get(f"/v1/decisions/{answer[0]['event_id']}").json()
    assert {name: one[name] for name in answer[0]} == answer[0]
    assert "user_id" not in one


def test_what_was_not_decided_is_404(client: TestClient) -> None:
    answer = client.get("/v1/decisions/nothing")
    assert answer.status_code == 404
    assert "no decision" in answer.json()["error"]


def test_decisions_by_minute(client: TestClient, shop: Shop) -> None:
    answer: Any = client.get("/v1/fraud/decided?from=10m ago").json()
    assert len(answer["minutes"]) == 11
    assert answer["counts"]["approve"] == sum(minute["approve"] for minute in answer["minutes"])
    assert client.get("/v1/fraud/decided?from=8h ago").status_code == 400


@pytest.mark.parametrize("path", API)
def test_every_answer_is_to_be_had_as_a_table(client: TestClient, path: str) -> None:
    answer = client.get(f"{path}?format=csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="clickstream-')
    rows = list(csv.DictReader(answer.content.decode("utf-8-sig").splitlines()))
    counted = next(part for name, part in client.get(path).json().items() if isinstance(part, list) and name != "applications")
    assert len(rows) == len(counted) > 0
    assert client.get(f"{path}?format=xls").status_code == 400
    assert "attachment" in client.get(f"{path}?download=1").headers["content-disposition"]


def test_a_cell_is_no_formula() -> None:
    text = table([["name"], ["=HYPERLINK(1)"], ["-1+2"], ["plain"], [-3]]).decode("utf-8-sig")
    assert text.split() == ["name", "'=HYPERLINK(1)", "'-1+2", "plain", "-3"]


@pytest.mark.parametrize(("feed", "status"), [("nowhere", 404), ("now?range=week", 400), ("now/1h", 404)])
def test_a_feed_that_is_not_there(client: TestClient, feed: str, status: int) -> None:
    assert client.get(f"/v1/live/{feed}").status_code == status


def test_pages_that_have_nothing_to_show_are_not_offered(shop: Shop) -> None:
    with TestClient(create_app(shop, shop.clock, monotonic=shop.clock), base_url="http://127.0.0.1") as client:
        assert client.get("/fraud").status_code == client.get("/recommendations").status_code == 404
        assert "/fraud" not in client.get("/").text
        assert client.get("/v1/fraud/alerts").status_code == 404
