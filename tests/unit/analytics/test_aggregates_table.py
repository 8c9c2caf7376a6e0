"""Sink and read model over DynamoDB's tables (moto)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.cli import cli
from clickstream.consumers.analytics import aggregate_rows, sink
from clickstream.consumers.analytics.aggregate_rows import Row
from clickstream.consumers.analytics.counting.partial import Partial
from clickstream.consumers.analytics.counting.totals import WindowView
from clickstream.consumers.analytics.fold import AnalyticsFold
from clickstream.consumers.analytics.needs import AGGREGATES
from clickstream.consumers.analytics.sink import AggregatesTable
from clickstream.consumers.analytics.views import Aggregates
from clickstream.consumers.analytics.windows import HOUR, MINUTE_MS, Window
from clickstream.consumers.analytics.wiring import APPLICATION
from clickstream.consumers.runtime.state.snapshots import Commit, Progress, SnapshotStore
from clickstream.errors import Missing, RetryLater, Throttled
from clickstream.events import AnyEvent
from clickstream.platform import SHARDS, STATE
from clickstream.progress.completeness import Arrival, Completeness
from clickstream.records.position import Position
from clickstream.records.routing import hash_key
from clickstream.settings import Settings
from tests.unit.analytics.oracle import truths
from tests.unit.analytics.traffic import START_MS, traffic

NOW_S = 1_800_000_000
SETTINGS = Settings()
DONE_MS = START_MS + 86_400_000
HALVES = ("0" * 32 + "-7" + "f" * 31, "8" + "0" * 31 + "-" + "f" * 32)


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "test")
    for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "CLICKSTREAM_NAME"):
        monkeypatch.delenv(variable, raising=False)
    with mock_aws():
        made = Clients(SETTINGS)
        create_table(made, AGGREGATES.of(SETTINGS), "window", "part")
        create_table(made, SHARDS.of(SETTINGS), "application", "shard")
        made.s3.create_bucket(Bucket=STATE.of(SETTINGS))
        yield made


def create_table(clients: Clients, name: str, partition: str, sort: str) -> None:
    clients.dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": partition, "AttributeType": "S"},
            {"AttributeName": sort, "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def stored(clients: Clients, row: Row) -> dict[str, Any]:
    key = {"window": {"S": row.window}, "part": {"S": row.part}}
    item: dict[str, Any] = dict(clients.dynamodb.get_item(TableName=AGGREGATES.of(SETTINGS), Key=key)["Item"])
    return item


def a_row(views: int, width: int = 1) -> Row:
    partial = Partial()
    partial.events["product_view"] = views
    return aggregate_rows.row(Window(width, START_MS // MINUTE_MS, 0), "shardId-000000000000", partial)


@pytest.mark.parametrize("width", [1, HOUR])
def test_a_later_position_replaces_a_row_and_an_older_writer_is_refused(clients: Clients, width: int) -> None:
    table = AggregatesTable(clients.dynamodb, AGGREGATES.of(SETTINGS), lambda: NOW_S)
    table.write([a_row(1, width)], Position(10**40, 7))
    table.write([a_row(2, width)], Position(10**40, 8))
    table.write([a_row(3, width)], Position(10**40, 8))
    # a number with fewer digits is older, though it would be greater as text
    table.write([a_row(4, width)], Position(9 * 10**39, 9))
    item = stored(clients, a_row(0, width))
    assert aggregate_rows.decode(item["partial"]["B"]).events == {"product_view": 2}
    assert item["position"]["S"] == str(Position(10**40, 8))
    kept_s = sink.HOUR_KEPT_S if width == HOUR else sink.MINUTE_KEPT_S
    assert item["expires_at"]["N"] == str(NOW_S + kept_s)


def test_many_rows_are_written_all(clients: Clients) -> None:
    fold = AnalyticsFold("shardId-000000000000")
    fold.apply(traffic(1, 600))
    effects = fold.effects(flush=True)
    APPLICATION.open_sink("shardId-000000000000", clients, SETTINGS).write(effects, Position(1))
    count = clients.dynamodb.scan(TableName=AGGREGATES.of(SETTINGS), Select="COUNT")["Count"]
    assert count == len({(row.window, row.part) for row in effects}) > 30


def answers_with(status: int, code: str) -> Callable[..., None]:
    def fail(**_: object) -> None:
        raise ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutItem")  # type: ignore[typeddict-item]  # the keys that matter

    return fail


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [("ProvisionedThroughputExceededException", 400, Throttled), ("InternalServerError", 500, RetryLater)],
)
def test_a_store_that_cannot_take_it_is_tried_again_later(
    clients: Clients, code: str, status: int, error: type[RetryLater]
) -> None:
    # a fault injected where botocore would meet it: at the sending of the request
    clients.dynamodb.meta.events.register("before-call.dynamodb.PutItem", answers_with(status, code))
    with pytest.raises(error):
        AggregatesTable(clients.dynamodb, AGGREGATES.of(SETTINGS)).write([a_row(1)], Position(1))


@pytest.fixture
def filled(clients: Clients) -> Clients:
    """Traffic of two shards, written and committed as the runtime does it."""
    events = traffic(11, 1_200, late_ms=600_000)
    for number in range(2):
        shard = f"shardId-{number:012d}"
        own = [event for event in events if hash_key(event.user_id)[0] % 2 == number]
        fold = AnalyticsFold(shard)
        for batch in range(0, len(own), 300):
            fold.apply(own[batch : batch + 300])
            effects = fold.effects(flush=batch + 300 >= len(own))
            APPLICATION.open_sink(shard, clients, SETTINGS).write(effects, Position(batch + 1))
        store = SnapshotStore(APPLICATION.name, "worker-1", clients, SETTINGS)
        latest = max(event.occurred_at for event in own)
        commit = Commit(
            position=Position(9),
            state=fold.snapshot(),
            full=True,
            progress=Progress(events=len(own), watermark_ms=latest),
            behind_ms=0,
            arrival=Arrival(hash_range=HALVES[number], arrived_to=DONE_MS + number, whole_to=DONE_MS + number),
        )
        store.commit(store.take(shard, START_MS), commit, DONE_MS)
    return clients


@pytest.mark.parametrize("granularity", ["minute", "hour", "day"])
def test_the_views_merge_shards_and_parts(filled: Clients, granularity: str) -> None:
    expected = truths(traffic(11, 1_200, late_ms=600_000), granularity)
    views = Aggregates(filled, SETTINGS).windows(granularity, START_MS - 86_400_000, START_MS + 86_400_000)
    assert [view.start_ms for view in views] == sorted(expected)
    for view in views:
        truth = expected[view.start_ms]
        assert view.counts == dict(sorted(truth.events.items()))
        assert view.tops["products"].entries == truth.tops["products"]
        assert view.tops["categories"].entries == truth.tops["categories"]
        assert view.tops["searches"].entries == truth.tops["searches"]
        assert (view.funnel.view, view.funnel.cart, view.funnel.purchase) == truth.funnel
        assert round(view.uniques.value) == truth.users


def starts(views: list[WindowView]) -> list[int]:
    return [(view.start_ms - START_MS) // MINUTE_MS for view in views]


def test_a_stretch_holds_the_windows_that_it_overlaps(filled: Clients) -> None:
    reader = Aggregates(filled, SETTINGS)
    at = START_MS + 3 * MINUTE_MS
    assert starts(reader.windows("minute", at, at + 2 * MINUTE_MS)) == [3, 4]
    assert starts(reader.windows("minute", at + 1, at + 2 * MINUTE_MS + 1)) == [3, 4, 5]
    assert starts(reader.windows("minute", at, at)) == []
    assert starts(reader.windows("hour", at, at + 1)) == [-40]


def test_progress_is_what_the_runtime_committed(filled: Clients) -> None:
    reader = Aggregates(filled, SETTINGS)
    shards = reader.progress()
    assert [shard.shard for shard in shards] == ["shardId-000000000000", "shardId-000000000001"]
    assert {(shard.application, shard.owner, shard.behind_ms, shard.ended) for shard in shards} == {
        ("analytics", "worker-1", 0, False)
    }
    assert sum(shard.events for shard in shards) == 1_200
    assert reader.completeness() == Completeness(minutes_to=DONE_MS, complete_to=DONE_MS, lateness_ms=0, late_share=0.0)


def test_other_applications_and_reserved_items_do_not_matter(filled: Clients) -> None:
    before = Aggregates(filled, SETTINGS).completeness()
    SnapshotStore("fraud", "w", filled, SETTINGS).take("shardId-000000000000", 1)
    SnapshotStore(APPLICATION.name, "w", filled, SETTINGS).take("#supervisor", 1)
    assert len(Aggregates(filled, SETTINGS).progress()) == 3
    assert Aggregates(filled, SETTINGS).completeness() == before


def test_a_missing_table_is_named(clients: Clients) -> None:
    with pytest.raises(Missing, match="elsewhere-aggregates"):
        Aggregates(clients, Settings(name="elsewhere")).windows("minute", 0, 1)


def query(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["query", "aggregates", *arguments], catch_exceptions=False)


def test_the_command_answers_in_json(filled: Clients) -> None:
    done = query("--granularity", "day", "--from", "2026-11-24", "--to", "2026-11-27", "--top", "3", "--json")
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    expected = truths(traffic(11, 1_200, late_ms=600_000), "day")
    assert [window["start"] for window in document["windows"]] == sorted(expected)
    first = document["windows"][0]
    truth = expected[first["start"]]
    assert first["counts"] == truth.events
    assert first["events"] == sum(truth.events.values())
    assert first["products"] == [list(entry) for entry in truth.tops["products"][:3]]
    assert first["bought"] == [list(entry) for entry in truth.tops["bought"][:3]]
    assert first["funnel"] == dict(zip(("view", "cart", "purchase"), truth.funnel, strict=True))
    assert first["bounds"] == {}
    assert document["complete_to"] == DONE_MS
    assert [window["complete"] for window in document["windows"]] == [
        window["end"] <= document["complete_to"] for window in document["windows"]
    ]


def test_the_command_prints_a_table(filled: Clients) -> None:
    done = query("--granularity", "hour", "--from", "2026-11-24", "--to", "2026-11-27")
    assert done.exit_code == 0
    assert "complete to 2026-11-2" in done.stderr
    for start in truths(traffic(11, 1_200, late_ms=600_000), "hour"):
        assert f"{start // 3_600_000 % 24:02d}:00" in done.stdout


def test_windows_of_another_year_keep_it(filled: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    for now_s, begin in ((1_798_000_000, " 11-24 "), (1_830_000_000, "2026-11-24 ")):  # of 2026 and of 2027
        monkeypatch.setattr("clickstream.serving.query.time", SimpleNamespace(time=lambda now_s=now_s: now_s))
        done = query("--granularity", "hour", "--from", "2026-11-24", "--to", "2026-11-27")
        assert begin in f" {done.stdout}".replace("\n", "\n ")
        assert (" 11-24 " in done.stdout.replace("\n", "\n ")) == (begin == " 11-24 ")


def test_a_stretch_that_ends_before_it_begins_is_wrong_usage(clients: Clients) -> None:
    assert query("--from", "1h ago", "--to", "2h ago").exit_code == 2


def by_window(events: list[AnyEvent], width: int) -> dict[int, Counter[str]]:
    found: dict[int, Counter[str]] = {}
    for event in events:
        found.setdefault(event.occurred_at // width * width, Counter())[str(type(event).__struct_config__.tag)] += 1
    return found


def counts(views: list[WindowView]) -> dict[int, dict[str, int]]:
    return {view.start_ms: view.counts for view in views}


@pytest.mark.parametrize("seed", range(2))
def test_between_commits_the_counters_of_the_newest_windows_are_those_of_all_that_was_folded(
    clients: Clients, seed: int
) -> None:
    """Two shards, one of which has moved on, in any mixture of commits and previews; rankings are as of the commit."""
    chance, events = Random(seed), traffic(seed, 200, step_ms=900, late_ms=1)
    table = AggregatesTable(clients.dynamodb, AGGREGATES.of(SETTINGS), lambda: NOW_S)
    folds = [AnalyticsFold(f"shardId-{number:012d}") for number in range(2)]
    reader = Aggregates(clients, SETTINGS)
    for at in range(0, len(events), 40):
        for number, fold in enumerate(folds):
            fold.apply([event for event in events[at : at + 40] if hash_key(event.user_id)[0] % 2 == number])
            shown = fold.effects(flush=False) if chance.random() < 0.3 else fold.preview()
            assert sum(row.window == aggregate_rows.MOVING for row in shown) <= 1
            table.write(shown, Position(at + 1))
        for granularity, width in (("minute", 60_000), ("hour", 3_600_000)):
            truth = by_window(events[: at + 40], width)
            found = counts(reader.windows(granularity, START_MS, DONE_MS))
            assert found[max(truth)] == truth[max(truth)]
    for fold in folds:
        table.write(fold.effects(flush=True), Position(len(events) + 1))
    assert counts(reader.windows("minute", START_MS, DONE_MS)) == by_window(events, 60_000)


def test_a_row_of_a_later_position_comes_before_counters_that_moved(clients: Clients) -> None:
    """As after a version before has taken the shard over: it writes rows alone."""
    table = AggregatesTable(clients.dynamodb, AGGREGATES.of(SETTINGS), lambda: NOW_S)
    shown = Partial()
    shown.events["product_view"] = 3
    window = Window(1, START_MS // MINUTE_MS, 0)
    table.write([aggregate_rows.moving("shardId-000000000000", [(window, shown)])], Position(5))
    reader = Aggregates(clients, SETTINGS)
    for row_at, views, expected in ((4, 2, 3), (5, 7, 7), (6, 8, 8)):
        table.write([a_row(views)], Position(row_at))
        assert counts(reader.windows("minute", START_MS, DONE_MS)) == {
            START_MS // MINUTE_MS * MINUTE_MS: {"product_view": expected}
        }


def test_what_moves_stays_within_a_write_unit() -> None:
    partial = Partial()
    for number in range(12):
        partial.revenue[f"CU{number}"] = partial.events[f"kind {number}"] = 10**9
    window = Window(1, START_MS // MINUTE_MS, 0)
    row = aggregate_rows.moving("shardId-000000000000", [(window, partial)] * 8)
    assert len(row.content) <= aggregate_rows.MOVING_BYTES + 3
    assert 1 <= len(aggregate_rows.decode_moving(row.content)) < 8
