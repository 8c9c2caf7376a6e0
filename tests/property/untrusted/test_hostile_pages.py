"""The read side over stores that hostile events have filled: valid JSON, text and no markup, one line per header, no fault."""

from __future__ import annotations

import csv
import importlib
import io
import json
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urljoin

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from clickstream import events
from clickstream.aws import Clients
from clickstream.consumers.analytics.views import Aggregates
from clickstream.consumers.explain.views import Explainer
from clickstream.consumers.fraud.views import Decisions
from clickstream.consumers.recommendations.views import Recommendations
from clickstream.events import AnyEvent, Purchase
from clickstream.infra.local import resources, stack
from clickstream.load.traffic import bounds
from clickstream.records.position import Position
from clickstream.serving.app import create_app
from clickstream.serving.pages.live import Picture, head
from clickstream.serving.pages.now.spans import SPANS
from clickstream.serving.pages.pictures import Fraud, Now, Pipeline
from clickstream.serving.pages.pictures import Recommendations as RecommendationsPicture
from clickstream.serving.progress import ProgressReader, Reading
from clickstream.settings import from_env
from tests.property.untrusted import hostile
from tests.property.untrusted.at_the_terminal import is_clean, run

SHARD = "shardId-000000000000"
APPLICATIONS = [
    importlib.import_module(f"clickstream.consumers.{name}.wiring").APPLICATION
    for name in ("analytics", "fraud", "recommendations", "orders")
]
TOKEN = "a-token-of-these-tests"
lenient = settings(
    max_examples=25, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
#: What a client can put into an address; httpx itself takes no lone surrogate.
asked = hostile.ids | st.sampled_from(
    ["", ".", "..", "../..", "//evil.example", "x" * 3_000, "\U0001f600" * 600, "%0d%0aSet-Cookie:x"]
)


def filling(now_ms: int) -> list[AnyEvent]:
    """Every case that must count, once each, and a dear purchase beside each strange id, so that it is an alert too."""
    cases = [case for case in hostile.cases() if not case.path]
    made = [bounds.laid_over(case, f"n{number}", now_ms - 60_000) for number, case in enumerate(cases)]
    for number, strange in enumerate(bounds.STRANGE):
        fields = bounds.document("purchase", f"dear{number}{strange}", now_ms - 30_000) | {
            "amount": 10**12,
            "order_id": strange,
        }
        fields["items"] = [{"product_id": strange, "category": strange}]
        made.append(fields)
    return [events.decode(bounds.encoded(fields)) for fields in made]


class Site:
    """The server over the real stores' tables, as the applications' folds and sinks fill them."""

    def __init__(self, client: TestClient, pictures: list[Picture], seen: Reading, filled: list[AnyEvent], now_ms: int) -> None:
        self.client = client
        self.pictures = pictures
        self.seen = seen
        self.filled = filled
        self.now_ms = now_ms

    def get(self, path: str, **options: Any) -> Any:
        answer = self.client.get(path, follow_redirects=False, **options)
        assert answer.status_code < 500, path
        for name, value in answer.headers.items():
            assert (name + value).isascii(), name
            assert (name + value).isprintable(), name
        assert "set-cookie" not in answer.headers
        return answer


@pytest.fixture(scope="module")
def site(local_aws: stack.Stack) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**local_aws.environment, "CLICKSTREAM_NAME": "hostile-pages"}.items():
            patch.setenv(name, value)  # for the commands too
        surroundings = from_env()
        clients = Clients(surroundings)
        resources.create(clients, surroundings, shards=1)
        # not the module's: pytest may have imported it long before, and what is put late is searched for in vain
        now_ms = time.time_ns() // 1_000_000
        filled = filling(now_ms)
        for event in filled:
            clients.kinesis.put_record(StreamName=surroundings.stream, PartitionKey=event.user_id, Data=events.encode(event))
        for application in APPLICATIONS:
            fold, sink = application.open_fold(SHARD), application.open_sink(SHARD, clients, surroundings)
            for start in range(0, len(filled), 50):
                fold.apply(filled[start : start + 50])
                sink.write(fold.effects(flush=True), Position(start + 1))
        views, offers = Aggregates(clients, surroundings), Recommendations(clients, surroundings)
        risk = Decisions(clients, surroundings)
        app = create_app(
            views,
            lambda: now_ms,
            offers=offers,
            risk=risk,
            lives=Explainer(clients, surroundings).life,
            token=TOKEN,
            period_s=3600,
        )
        pictures: list[Picture] = [
            *(Now(views, span) for span in SPANS.values()),
            Pipeline(),
            Fraud(risk),
            RecommendationsPicture(offers),
        ]
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with TestClient(app, base_url="http://127.0.0.1", headers=headers, raise_server_exceptions=True) as client:
            yield Site(client, pictures, ProgressReader(views, lambda: 0).read(now_ms), filled, now_ms)


def no_constant(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")


def parsed(content: bytes) -> Any:
    """Strictly: what a browser's JSON.parse takes."""
    return json.loads(content.decode(), parse_constant=no_constant)


class Shape(HTMLParser):
    """A document without its text: tags and attributes, but for addresses."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.addresses: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]


def strange(site: Site) -> list[AnyEvent]:
    """Those of which somebody could take something for markup, a path or a header; of the others a few."""
    return [
        event
        for number, event in enumerate(site.filled)
        if not (_is_plain(event.event_id) and _is_plain(event.user_id)) or number % 20 == 0
    ]


def _is_plain(text: str) -> bool:
    return text.replace("-", "").isalnum() and text.isascii() and len(text) < 100


def test_every_event_has_its_life_as_json_and_as_text(site: Site) -> None:
    frame = Shape(site.get("/explain", params={"event": "benign"}).text)
    tags = {*frame.tags, ("a", ("href",))}
    for event in (event for event in site.filled if not _is_plain(event.event_id)):
        page = site.get("/explain", params={"event": event.event_id, "user": event.user_id})
        assert page.status_code == 200, event.event_id
        shape = Shape(page.text)
        assert set(shape.tags) <= tags
        # of an event only the link to its JSON, which leads a browser there and nowhere else
        (link,) = (each for each in shape.addresses if each not in frame.addresses)
        life = parsed(site.get(urljoin("http://127.0.0.1/explain", link)).content)
        assert (life["event_id"], life["user_id"], len(life["puts"])) == (event.event_id, event.user_id, 1)


def test_every_purchase_has_its_decision_and_every_visitor_an_answer(site: Site) -> None:
    for event in strange(site):
        if isinstance(event, Purchase):
            found = parsed(site.get(f"/v1/decisions/{quote(event.event_id, safe='')}").content)
            assert found["event_id"] == event.event_id
        answer = site.get(f"/v1/recommendations/{quote(event.user_id, safe='')}")
        assert (answer.status_code, parsed(answer.content)["user_id"]) == (200, event.user_id)


@pytest.mark.parametrize(
    "path", ["/v1/aggregates?granularity=minute&top=100", "/v1/progress", "/v1/fraud/alerts?count=200", "/v1/fraud/decided"]
)
def test_what_lists_names_is_json_and_a_table_that_no_spreadsheet_computes(site: Site, path: str) -> None:
    parsed(site.get(path).content)
    both = "&" if "?" in path else "?"
    text = site.get(f"{path}{both}format=csv").content.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(("=", "+", "@", "\t", "\r")), cell


def drawn(site: Site, picture: Picture) -> bytes:
    told = head("shop", site.seen, picture.applications, site.now_ms, None)
    return msgspec.json.encode({"head": told, **picture.read(site.seen)})


def test_the_live_pictures_are_json_that_carries_every_name_unchanged(site: Site) -> None:
    drawings = [drawn(site, picture) for picture in site.pictures]
    for drawing in drawings:
        parsed(drawing)
        # one line, so that it is one server-sent event
        assert b"\n" not in drawing
        assert b"\r" not in drawing
    shown = parsed(drawings[0])
    queries = {key for key, _ in shown["total"]["searches"]}
    assert queries & {event.query for event in site.filled if hasattr(event, "query")}


@pytest.mark.parametrize("path", ["/", "/fraud", "/recommendations", "/pipeline", "/api", "/metrics", "/v1/openapi.json"])
def test_the_pages_themselves_hold_nothing_of_an_event(site: Site, path: str) -> None:
    text = site.get(path).text
    for strange in bounds.STRANGE:
        assert strange == " " or strange not in text or strange == "\"'\\{}"


@lenient
@given(text=asked)
@pytest.mark.parametrize(
    "path",
    [
        "/v1/decisions/{}", "/v1/recommendations/{}", "/v1/recommendations?viewed={}", "/v1/recommendations/u?without={}",
        "/v1/aggregates?from={}", "/v1/aggregates?granularity={}", "/v1/progress?format={}", "/v1/live/{}", "/static/{}", "/{}",
    ],
)  # fmt: skip
def test_whatever_is_asked_is_answered_by_a_status_and_a_body_of_its_kind(site: Site, path: str, text: str) -> None:
    asked_and_answered(site, path, text)


@settings(lenient, max_examples=8)  # each reads the stream
@given(text=asked)
@pytest.mark.parametrize("path", ["/v1/explain/{}", "/explain?event={}", "/explain?event=e&user={}"])
def test_a_life_of_whatever_is_asked_is_too(site: Site, path: str, text: str) -> None:
    asked_and_answered(site, path, text)


def asked_and_answered(site: Site, path: str, text: str) -> None:
    answer = site.get(path.format(quote(text, safe="")))
    assert answer.status_code in (200, 304, 307, 400, 404, 405)
    kind = answer.headers.get("content-type", "")
    if kind.startswith("application/json"):
        parsed(answer.content)
    if kind.startswith("text/html"):
        assert "<script>" not in answer.text
        assert "alert(1)<" not in answer.text


@lenient
@given(path=asked, following=asked)
def test_the_way_to_the_login_and_back_stays_on_this_server(site: Site, path: str, following: str) -> None:
    answer = site.get(f"/{quote(path, safe='')}", headers={"Authorization": "", "Accept": "text/html"})
    if answer.status_code == 303:
        assert answer.headers["location"].startswith("/login?next=/")
    back = site.client.post(
        f"/login?next={quote(following, safe='')}", content=f"token={TOKEN}", follow_redirects=False
    ).headers["location"]
    assert back.startswith("/")
    assert not back.startswith(("//", "/\\"))
    assert back.isascii()
    assert back.isprintable()


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_no_command_lets_an_event_reach_the_terminal(site: Site, form: list[str]) -> None:
    purchases = [event for event in site.filled if isinstance(event, Purchase)]
    questions = [["query", "aggregates", "--from", "2h ago", "--top", "50"], ["orders", "stock"]]
    for name, words in {
        "event_id": ["query", "decision"], "user_id": ["query", "recommendations"], "order_id": ["orders", "show"]
    }.items():  # fmt: skip
        questions += [[*words, "--", text] for event in purchases if not (text := getattr(event, name)).isprintable()][:2]
    questions.append(["explain", "--no-letters", *questions[2][2:]])
    for words in questions:
        at = 1 if words[0] == "explain" else 2
        code, stdout, stderr = run([*words[:at], *form, *words[at:]])
        assert is_clean(stdout + stderr), words
        assert "a fault of this program" not in stderr, words
        assert code in (0, 1), words
