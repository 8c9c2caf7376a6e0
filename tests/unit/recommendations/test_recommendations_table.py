"""Sink, read model, API and command over the embedded AWS."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from starlette.testclient import TestClient

from clickstream.aws import Clients
from clickstream.cli import cli
from clickstream.consumers.orders.needs import INVENTORY
from clickstream.consumers.orders.views import inventory
from clickstream.consumers.recommendations.fold import RecommendationsFold, Visit
from clickstream.consumers.recommendations.needs import OFFERS
from clickstream.consumers.recommendations.offers import LENGTH, HitRate
from clickstream.consumers.recommendations.sink import RecommendationsTable
from clickstream.consumers.recommendations.views import Recommendations
from clickstream.consumers.recommendations.wiring import APPLICATION
from clickstream.errors import ClickstreamError, Forbidden, Missing, RetryLater, Throttled, Unwritable
from clickstream.events import AnyEvent
from clickstream.models import recommender
from clickstream.models.recommender import clicks, model
from clickstream.models.recommender.clicks import Click
from clickstream.models.recommender.parameters import Parameters
from clickstream.models.registry.following import LOOK_EVERY_MS, Followed
from clickstream.models.registry.manifest import Description, Training
from clickstream.models.registry.s3 import Registry
from clickstream.platform import MODELS
from clickstream.records.position import Position
from clickstream.serving.app import create_app
from clickstream.settings import Settings, environment
from tests.unit.recommendations.traffic import buy, cart, view
from tests.unit.serving.shop import Shop

SHARD = "shardId-000000000000"


class Clock:
    def __init__(self) -> None:
        self.now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms


class Aws(Clients):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.settings = settings


class Meter:
    """What the sink asks of DynamoDB in batches of statements."""

    def __init__(self, clients: Aws) -> None:
        self.statements: list[str] = []
        self.refused = 0
        events = clients.dynamodb.meta.events
        events.register("provide-client-params.dynamodb.BatchExecuteStatement", self._sent)
        events.register("after-call.dynamodb.BatchExecuteStatement", self._answered)

    def _sent(self, params: dict[str, Any], **_: object) -> None:
        self.statements += [each["Statement"] for each in params["Statements"]]

    def _answered(self, parsed: dict[str, Any], **_: object) -> None:
        self.refused += sum("Error" in each for each in parsed["Responses"])


@pytest.fixture
def clients(settings: Settings) -> Aws:
    made = Aws(settings)
    for table in (OFFERS, INVENTORY):
        made.dynamodb.create_table(**table.creation(table.of(settings)))
    made.s3.create_bucket(Bucket=MODELS.of(settings))
    return made


@pytest.fixture
def clock() -> Clock:
    return Clock()


def open_sink(
    clients: Aws, clock: Clock, shard: str = SHARD, consumables: frozenset[str] = frozenset()
) -> RecommendationsTable:
    model_of_now = Followed(Registry(clients.s3, MODELS.of(clients.settings)), recommender.NAME, model.decode)
    table = OFFERS.of(clients.settings)
    return RecommendationsTable(clients.dynamodb, table, shard, model_of_now, consumables=consumables, clock_ms=clock)


def visits(*events: AnyEvent) -> list[Visit]:
    fold = RecommendationsFold()
    fold.apply(events)
    return [visit for visit in fold.effects(flush=True) if isinstance(visit, Visit)]


def publish(clients: Aws, *sessions: str, promote: bool = True) -> str:
    grouped = clicks.group(Click(f"s{n}", item, n * 1000 + i) for n, text in enumerate(sessions) for i, item in enumerate(text))
    description = Description(
        training=Training(source="test", from_ms=0, to_ms=0, rows=0, sha256=""), parameters=msgspec.to_builtins(Parameters())
    )
    registry = Registry(clients.s3, MODELS.of(clients.settings))
    files = model.encode(model.train(grouped, Parameters()))
    version = registry.publish(recommender.NAME, files, description, now_ms=1_700_000_000_000).version
    if promote:
        registry.promote(recommender.NAME, version, now_ms=1_700_000_000_001)
    return version


def shown(clients: Aws, user: str, **options: Any) -> list[str]:
    return [each.item for each in Recommendations(clients, clients.settings).of(user, **options).items]


def test_an_offer_follows_the_click_with_the_models_version_and_its_reason(clients: Aws, clock: Clock) -> None:
    version = publish(clients, "ab", "ab", "cd")
    open_sink(clients, clock).write(visits(view("u", "a")), Position(1))
    answer = Recommendations(clients, clients.settings).of("u")
    assert (answer.personal, answer.version, answer.made_at) == (True, version, clock.now_ms)
    reasons = {each.item: each.because for each in answer.items}
    assert reasons["b"] == "a"
    assert {"a", "b"} == set(shown(clients, "u")[:2])


def test_what_was_bought_is_not_offered_and_what_the_asker_leaves_out_neither(clients: Aws, clock: Clock) -> None:
    publish(clients, "abcd", "abdc")
    open_sink(clients, clock).write(visits(view("u", "a"), buy("u", "b")), Position(1))
    assert "b" not in shown(clients, "u")[:3]
    assert "d" not in shown(clients, "u", without={"d"})
    assert len(shown(clients, "u", count=2)) == 2


def test_consumables_are_offered_again_to_who_has_bought_them(clients: Aws, clock: Clock) -> None:
    publish(clients, "abcd", "abdc")
    bought = visits(view("u", "a"), buy("u", "b", category="coffee"))
    open_sink(clients, clock, consumables=frozenset({"coffee"})).write(bought, Position(1))
    assert "b" in shown(clients, "u")[:3]
    open_sink(clients, clock, consumables=frozenset({"tea"})).write(bought, Position(2))
    assert "b" not in shown(clients, "u")[:3]


def test_a_stranger_gets_what_is_popular_over_all_shards(clients: Aws, clock: Clock) -> None:
    assert Recommendations(clients, clients.settings).of("nobody").items == []
    publish(clients, "aab", "ac")
    open_sink(clients, clock).write(visits(view("u", "c")), Position(1))
    open_sink(clients, clock, "shardId-000000000001").write(visits(view("v", "a")), Position(1))
    answer = Recommendations(clients, clients.settings).of("nobody")
    assert (answer.personal, answer.items[0].item) == (False, "a")
    assert {each.because for each in answer.items} == {None}


def test_without_a_model_the_live_visits_are_one(clients: Aws, clock: Clock) -> None:
    sink = open_sink(clients, clock)
    sink.write(visits(view("u1", "a"), view("u1", "b"), view("u2", "a"), view("u2", "b")), Position(1))
    clock.now_ms += 2_000
    sink.write(visits(view("u3", "a")), Position(2))
    assert "b" in shown(clients, "u3")
    assert Recommendations(clients, clients.settings).of("u3").version == ""


def test_a_promotion_is_taken_up_between_two_writes_and_a_damaged_one_is_not(clients: Aws, clock: Clock) -> None:
    first = publish(clients, "ab")
    sink = open_sink(clients, clock)
    sink.write(visits(view("u", "a")), Position(1))
    second = publish(clients, "az", "az")
    clock.now_ms += LOOK_EVERY_MS
    sink.write(visits(view("u", "a")), Position(2))
    answer = Recommendations(clients, clients.settings).of("u")
    assert first != second == answer.version
    assert "z" in [each.item for each in answer.items]

    third = publish(clients, "ay", "ay", "ay")
    clients.s3.put_object(Bucket=MODELS.of(clients.settings), Key=f"models/recommender/versions/{third}/index.npz", Body=b"cut")
    clock.now_ms += LOOK_EVERY_MS
    sink.write(visits(view("u", "a")), Position(3))
    assert Recommendations(clients, clients.settings).of("u").version == second


def test_an_older_writer_changes_nothing_and_its_newer_rows_arrive(clients: Aws, clock: Clock) -> None:
    publish(clients, "ab", "cd")
    open_sink(clients, clock).write(visits(view("u", "a")), Position(10**40, 7))
    before = Recommendations(clients, clients.settings).of("u")
    # fewer digits: older, though greater as text
    open_sink(clients, clock).write(visits(view("u", "c"), view("v", "c")), Position(9 * 10**39))
    assert Recommendations(clients, clients.settings).of("u") == before
    assert Recommendations(clients, clients.settings).of("v").personal
    open_sink(clients, clock).write(visits(view("u", "c")), Position(10**40, 8))
    assert Recommendations(clients, clients.settings).of("u") != before


def test_more_visitors_than_a_batch_holds(clients: Aws, clock: Clock) -> None:
    open_sink(clients, clock).write(visits(*(view(f"u{n}", "a") for n in range(130))), Position(1))
    count = clients.dynamodb.scan(TableName=OFFERS.of(clients.settings), Select="COUNT")["Count"]
    assert count == 131


@pytest.mark.parametrize(
    ("code", "of", "kind"),
    [
        ("InternalServerError", "the call", RetryLater),
        ("TransactionConflict", "a statement", RetryLater),
        ("ProvisionedThroughputExceeded", "a statement", Throttled),
        ("AccessDenied", "a statement", Forbidden),
        ("ValidationError", "a statement", Unwritable),
    ],
)
def test_a_store_that_cannot_take_it_is_tried_again_later(
    clients: Aws, clock: Clock, code: str, of: str, kind: type[ClickstreamError]
) -> None:
    def fail(parsed: dict[str, Any], **_: object) -> None:
        error = {"Error": {"Code": code}}
        if of == "the call":
            raise ClientError(cast("Any", error), "BatchExecuteStatement")
        parsed["Responses"][1] = error

    sink = open_sink(clients, clock)
    clients.dynamodb.meta.events.register("after-call.dynamodb.BatchExecuteStatement", fail)
    with pytest.raises(kind):
        sink.write(visits(view("u", "a")), Position(1))
    clients.dynamodb.meta.events.unregister("after-call.dynamodb.BatchExecuteStatement", fail)
    sink.write(visits(view("u", "a")), Position(1))
    assert Recommendations(clients, clients.settings).of("u").personal


def test_a_visitors_row_costs_one_write_however_it_came_to_be(clients: Aws, clock: Clock) -> None:
    def told() -> tuple[int, int]:
        """Statements sent, and those refused, since the last look."""
        sent, refused = len(meter.statements), meter.refused
        meter.statements.clear()
        meter.refused = 0
        return sent, refused

    meter = Meter(clients)
    sink = open_sink(clients, clock)
    shoppers = [f"u{n}" for n in range(60)]
    sink.write(visits(*(view(user, "a") for user in shoppers)), Position(1))
    assert told() == (61, 0)  # strangers, and what is popular
    sink.write(visits(*(view(user, "b") for user in shoppers)), Position(2))
    assert told() == (61, 0)  # known ones, and the hit rate
    sink.write(visits(*(view(user, "b") for user in shoppers)), Position(2))
    assert told() == (0, 0)  # called again
    heir = open_sink(clients, clock)
    heir.write(visits(*(view(user, "c") for user in shoppers)), Position(3))
    assert told() == (61, 0)  # visitors that only the table knows
    clients.dynamodb.delete_item(
        TableName=OFFERS.of(clients.settings), Key={"subject": {"S": "user#u7"}, "part": {"S": "offer"}}
    )
    heir.write(visits(view("u7", "d")), Position(4))
    assert told() == (3, 1)  # its time to live was over
    assert Recommendations(clients, clients.settings).of("u7").personal


def test_hits_are_counted_once_also_by_the_next_owner(clients: Aws, clock: Clock) -> None:
    publish(clients, "ab", "ab", *["xy"] * LENGTH, *[f"{c}{c}" for c in "qrstuvw"])
    reader = Recommendations(clients, clients.settings)
    sink = open_sink(clients, clock)
    sink.write(visits(view("u", "a")), Position(1))
    assert reader.hit_rate() == HitRate()  # nothing had been shown
    clicked = visits(view("u", "b"), view("u", "never-heard-of"), cart("stranger", "b"))
    sink.write(clicked, Position(2))
    expected = HitRate(clicks=2, hits=1, popular_hits=1)
    assert reader.hit_rate() == expected
    sink.write(clicked, Position(2))  # called again after an outage
    assert reader.hit_rate() == expected
    heir = open_sink(clients, clock)
    heir.write(clicked, Position(2))  # replayed after a crash
    assert reader.hit_rate() == expected
    heir.write(visits(view("u", "b")), Position(3))
    assert reader.hit_rate() == HitRate(clicks=3, hits=2, popular_hits=2)


def test_the_wiring_makes_a_sink_that_writes(clients: Aws) -> None:
    fold = APPLICATION.open_fold(SHARD)
    fold.apply([view("u", "a")])
    APPLICATION.open_sink(SHARD, clients, clients.settings).write(fold.effects(flush=True), Position(1))
    assert shown(clients, "u") == ["a"]


@pytest.fixture
def browser(clients: Aws, clock: Clock) -> Iterator[TestClient]:
    publish(clients, "ab", "ab", "cd")
    open_sink(clients, clock).write(visits(view("a/b?", "a")), Position(1))
    shop = Shop()
    app = create_app(shop, shop.clock, monotonic=shop.clock, offers=Recommendations(clients, clients.settings))
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def test_the_api_answers_and_a_second_time_with_the_tag_alone(browser: TestClient) -> None:
    answer = browser.get("/v1/recommendations/a%2Fb%3F?count=2")
    document = answer.json()
    assert answer.status_code == 200
    assert (document["user_id"], document["personal"], len(document["items"])) == ("a/b?", True, 2)
    assert {item["product_id"] for item in document["items"]} == {"a", "b"}
    assert document["items"][1]["reason"] == "because you viewed a"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    tag = answer.headers["ETag"]
    again = browser.get("/v1/recommendations/a%2Fb%3F?count=2", headers={"If-None-Match": f'"x", W/{tag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    other = browser.get("/v1/recommendations/a%2Fb%3F?count=1", headers={"If-None-Match": tag})
    assert (other.status_code, other.headers["ETag"] != tag) == (200, True)


def test_what_is_sold_out_is_shown_to_nobody(browser: TestClient, clients: Aws) -> None:
    inventory(clients, clients.settings).add({"a": 0, "b": 3})
    assert shown(clients, "a/b?")[0] == "b"
    assert "a" not in shown(clients, "a/b?") + shown(clients, "nobody")
    for path in ("/v1/recommendations/a%2Fb%3F", "/v1/recommendations/nobody"):
        assert "a" not in [item["product_id"] for item in browser.get(path).json()["items"]]


def test_the_api_has_an_answer_for_a_stranger_and_for_nonsense(browser: TestClient) -> None:
    answer = browser.get("/v1/recommendations/nobody")
    assert (answer.json()["personal"], answer.headers["Cache-Control"]) == (False, "private, max-age=10")
    assert "a" not in [item["product_id"] for item in browser.get("/v1/recommendations/nobody?without=a,b").json()["items"]]
    for bad in ("count=0", "count=21", "count=x", f"without={','.join(map(str, range(501)))}"):
        assert browser.get(f"/v1/recommendations/u?{bad}").status_code == 400


def test_a_session_that_the_asker_tells_is_answered_by_the_model(browser: TestClient, clients: Aws) -> None:
    answer = _answered_by_a_model(browser, "/v1/recommendations?viewed=c,a&count=4")
    document = answer.json()
    assert (document["user_id"], document["personal"]) == (None, True)
    assert {item["product_id"]: item["because"] for item in document["items"]}["b"] == "a"
    assert answer.headers["Cache-Control"] == "private, max-age=10"
    again = browser.get("/v1/recommendations?viewed=c,a&count=4", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    without = browser.get("/v1/recommendations?viewed=c,a&without=b").json()["items"]
    assert "b" not in [item["product_id"] for item in without]
    for bad in ("", "viewed=", f"viewed={','.join(map(str, range(51)))}"):
        assert browser.get(f"/v1/recommendations?{bad}").status_code == 400


def _answered_by_a_model(browser: TestClient, path: str) -> Any:
    """The first ones are answered with what is popular, until the model is loaded."""
    deadline = time.monotonic() + 20
    while not (answer := browser.get(path)).json()["personal"]:
        assert time.monotonic() < deadline
    return answer


def test_throttled_keys_are_asked_for_again(clients: Aws, clock: Clock) -> None:
    publish(clients, "ab")
    open_sink(clients, clock).write(visits(*(view(f"u{n}", "a") for n in range(3))), Position(1))
    real = clients.dynamodb.batch_get_item
    asked: list[int] = []

    def one_at_a_time(RequestItems: Any) -> Any:
        ((table, wanted),) = RequestItems.items()
        first, *rest = wanted["Keys"]
        asked.append(len(wanted["Keys"]))
        answer = real(RequestItems={table: {"Keys": [first]}})
        return {**answer, "UnprocessedKeys": {table: {"Keys": rest}} if rest else {}}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clients.dynamodb, "batch_get_item", one_at_a_time)
        reader = Recommendations(clients, clients.settings)
        assert set(reader.stored(["u0", "nobody", "u2", "u1"])) == {"u0", "u1", "u2"}
        assert asked == [4, 3, 2, 1]
        with pytest.raises(RetryLater):
            reader.stored([f"v{n}" for n in range(9)])


def test_the_command_for_people_and_for_machines(clients: Aws, clock: Clock) -> None:
    publish(clients, "ab", "ab")
    open_sink(clients, clock).write(visits(view("u", "a")), Position(1))
    runner = CliRunner(env=environment(clients.settings, {}))
    answer = runner.invoke(cli, ["query", "recommendations", "u", "--json"], catch_exceptions=False)
    assert [item["product_id"] for item in json.loads(answer.stdout)["items"]] == shown(clients, "u")
    answer = runner.invoke(cli, ["query", "recommendations", "u", "--count", "1"], catch_exceptions=False)
    assert answer.stdout.split()[:2] == ["1", shown(clients, "u")[0]]
    answer = runner.invoke(cli, ["query", "recommendations", "nobody"], catch_exceptions=False)
    assert "popular" in answer.stderr


def test_a_missing_table_is_said(clients: Aws) -> None:
    with pytest.raises(Missing):
        Recommendations(clients, Settings(name="elsewhere")).of("u")
