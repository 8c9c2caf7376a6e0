"""The evaluation, against figures worked out by hand and against the field's published ones."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from clickstream.cli import cli
from clickstream.errors import Missing, UserMistake
from clickstream.events import encode
from clickstream.models.recommender import baselines, clicks, datasets, evaluation
from clickstream.models.recommender.clicks import Click
from clickstream.models.recommender.evaluation import UNKNOWN, measure
from clickstream.models.recommender.parameters import Parameters
from tests.unit.recommendations.traffic import START_MS, search, view


def shop(*sessions: str) -> clicks.Clicks:
    """Each letter a click; sessions one after the other."""
    return clicks.group(
        Click(f"s{number}", item, number * 1000 + place)
        for number, session in enumerate(sessions)
        for place, item in enumerate(session)
    )


def test_every_figure_of_a_small_case_by_hand() -> None:
    lists = {(0,): [1, 2, 0], (0, 1): [0, 2], (2,): [3, 1]}

    def ranker(past: Sequence[int], count: int) -> Sequence[int]:
        return lists[tuple(past)]

    # next clicks: 1 (place 1), 0 (place 1, seen before), and an item outside the training (a miss)
    result = measure(ranker, [[0, 1, 0], [2, UNKNOWN], [3]], clicked=[4, 2, 1, 1])
    assert result.all.positions == 3
    assert result.all.recall == pytest.approx(2 / 3)
    assert result.all.mrr == pytest.approx(2 / 3)
    assert result.all.ndcg == pytest.approx(2 / 3)
    assert result.all.coverage == 1.0
    # bits: 1, 2, 3, 3 for the items 0 to 3, of which the lists hold 1 2 0 | 0 2 | 3 1
    assert result.all.novelty == pytest.approx((2 + 3 + 1 + 1 + 3 + 3 + 2) / 7)
    # without the click that goes back to an item, and without 0 in the first list
    assert result.unseen.positions == 2
    assert result.unseen.recall == pytest.approx(1 / 2)
    assert result.unseen.coverage == pytest.approx(3 / 4)
    assert result.unseen.novelty == pytest.approx((2 + 3 + 3 + 2) / 4)


def test_places_count_from_one_and_end_at_twenty() -> None:
    def ranker(past: Sequence[int], count: int) -> Sequence[int]:
        return list(range(1, 30))[:count]

    for target, place in ((1, 1), (2, 2), (20, 20), (21, None)):
        quality = measure(ranker, [[0, target]], clicked=[1] * 30).all
        assert quality.recall == (place is not None)
        assert quality.mrr == pytest.approx(1 / place if place else 0)
        assert quality.ndcg == pytest.approx(1 / math.log2(place + 1) if place else 0)


def test_seen_items_make_room_for_others() -> None:
    def ranker(past: Sequence[int], count: int) -> Sequence[int]:
        return list(range(30))[:count]

    # the list without 0 goes on to item 20
    assert measure(ranker, [[0, 20]], clicked=[1] * 30).unseen.recall == 1.0


def test_searches_are_no_positions_and_the_baselines_do_not_see_them() -> None:
    asked: list[list[int]] = []

    def ranker(past: Sequence[int], count: int) -> Sequence[int]:
        asked.append(list(past))
        return [2]

    query = 1
    quality = measure(ranker, [[query, 0, query, 2], [0, query]], clicked=[4, 9, 4], queries={query}).all
    # only the 2 is a product with a product before it
    assert asked == [[query, 0, query]]
    assert (quality.positions, quality.recall, quality.coverage) == (1, 1.0, 0.5)
    assert quality.novelty == pytest.approx(1.0)  # one of two equally popular products
    assert evaluation.ranked(lambda past: dict.fromkeys(past, 1.0), {query})([query, 0, query], 3) == [0]


def test_a_file_of_events_is_judged_by_its_products(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    made = [
        event
        for n in range(30)
        for at in (START_MS + n * 10,)
        for event in (search(f"u{n}", "Lamp", at), view(f"u{n}", "a", at + 1), view(f"u{n}", "b", at + 2))
    ]
    file.write_bytes(b"".join(encode(event) + b"\n" for event in made))
    results = evaluation_of(str(file))
    assert {result.all.positions for result in results.values()} == {6}
    assert results["neighbours"].all.recall == results["association rules"].all.recall == 1.0


def test_equal_scores_are_listed_in_order_of_the_vocabulary() -> None:
    rank = evaluation.ranked(lambda _: {3: 1.0, 1: 1.0, 2: 2.0})
    assert rank([0], 3) == [2, 1, 3]


def test_a_session_is_read_in_the_items_of_the_training() -> None:
    training, test = shop("ab", "bc"), shop("bxa")
    assert evaluation.in_items_of(training, test) == [[1, UNKNOWN, 0]]
    assert evaluation.in_items_of(training, shop()) == []


def test_the_baselines_by_hand() -> None:
    training = shop("abc", "ab", "cc")
    a, b, c = 0, 1, 2
    rules = baselines.sequential_rules(training)
    assert rules([a]) == {b: 2.0, c: 0.5}
    assert rules([b]) == {c: 1.0}
    assert rules([c]) == {}
    assert rules([UNKNOWN]) == {}
    assert baselines.association_rules(training)([c]) == {a: 1, b: 1}
    assert baselines.popularity(training)([a]) == pytest.approx({a: 2 / 3, b: 2 / 3, c: 3 / 4})
    assert baselines.session_popularity(training)([a, b, a, UNKNOWN]) == pytest.approx({a: 2 + 2 / 3, b: 1 + 2 / 3, c: 3 / 4})
    # in sessions: a 2, b 2, c 2; together: a-b 2, a-c 1
    assert baselines.item_knn(training)([b, a]) == pytest.approx({b: 2 / 22, c: 1 / 22})


#: Recall@20 and MRR@20 as others measured them (the data sets' README).
PUBLISHED = {
    "popularity": (0.0894, 0.0264),
    "session popularity": (0.3813, 0.2655),
    "item-kNN": (0.4084, 0.1876),
    "association rules": (0.3968, 0.1724),
    "sequential rules": (0.3821, 0.1839),
}


def test_on_real_clicks_the_baselines_have_their_published_figures_and_ours_is_better(datasets: Path) -> None:
    answer = CliRunner().invoke(
        cli,
        ["models", "evaluate", "recommender", "--dataset", "yoochoose_100k", "--json"],
        env={"CLICKSTREAM_DATASETS": str(datasets)},
        catch_exceptions=False,
    )
    assert answer.exit_code == 0
    document = json.loads(answer.stdout)
    results = {name: result["all"] for name, result in document["results"].items()}
    assert {result["positions"] for result in results.values()} == {10_152}
    for name, (recall, mrr) in PUBLISHED.items():
        assert results[name]["recall"] == pytest.approx(recall, abs=0.0003), name
        assert results[name]["mrr"] == pytest.approx(mrr, abs=0.0003), name
    assert results["neighbours"]["recall"] >= 0.70
    assert results["neighbours"]["mrr"] >= 0.36


def test_a_table_for_people(tmp_path: Path) -> None:
    file = tmp_path / "clicks.txt"
    lines = [f"{session}\t{item}\t{session}.5" for session in range(50) for item in ("x", "y", "z")]
    file.write_text("\n".join((clicks.HEADER, *lines)))
    answer = CliRunner().invoke(cli, ["models", "evaluate", "recommender", "--dataset", str(file)], catch_exceptions=False)
    assert answer.exit_code == 0
    assert [line.split("  ")[0] for line in answer.stdout.splitlines()] == ["at 20", *baselines.BASELINES, "neighbours"]
    # always the same walk: everything but popularity knows the next step
    rows = [line for line in answer.stdout.splitlines() if line.startswith("neighbours")]
    assert rows[0].split()[1] == "1.0000"


def test_a_split_is_by_time() -> None:
    every = [Click(f"s{n}", "a", n) for n in (3, 1, 4, 0, 2)]
    split = datasets.split(every)
    assert [click.session for click in split.test] == ["s4"]
    assert [click.session for click in split.training] == ["s3", "s1", "s0", "s2"]


@pytest.mark.parametrize(
    ("content", "error", "match"),
    [
        ("a,b,c\n", UserMistake, "header|begins"),
        (f"{clicks.HEADER}\n1\t2\n", UserMistake, "line 2 is no click"),
        (f"{clicks.HEADER}\n1\t2\tnoon\n", UserMistake, "line 2 is no click"),
        ('{"type": "no event"}\n', UserMistake, "line 1 is no event"),
        (None, Missing, "no file"),
    ],
)
def test_what_is_no_data_set_is_said_with_its_line(
    tmp_path: Path, content: str | None, error: type[Exception], match: str
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_text(content)
    with pytest.raises(error, match=match):
        evaluation_of(str(file))


def evaluation_of(name: str) -> Mapping[str, evaluation.Result]:
    split = datasets.load(name, Path("nowhere"))
    training, test = clicks.group(split.training), clicks.group(split.test)
    names = (*baselines.BASELINES, evaluation.OURS)
    return {name: evaluation.evaluate(training, test, Parameters(), name) for name in names}
