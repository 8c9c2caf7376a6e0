"""Index, scoring, live overlay and the files: each rule on a case small enough to see."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.models.recommender import clicks, model
from clickstream.models.recommender.clicks import Click
from clickstream.models.recommender.index import build
from clickstream.models.recommender.model import INDEX_FILE, VOCABULARY_FILE, Model, Recommender, Seen
from clickstream.models.recommender.overlay import Overlay
from clickstream.models.recommender.parameters import Parameters
from clickstream.models.recommender.queries import query_item, query_of
from clickstream.models.registry.manifest import Description, Training, UnusableModel, Version, manifest_of

PARAMETERS = Parameters()
ONLY_NEIGHBOURS = msgspec.structs.replace(PARAMETERS, rules=0.0, repeat=0.0, popular=0.0, age_days=1e9)


def shop(*sessions: str) -> clicks.Clicks:
    return clicks.group(
        Click(f"s{number:05d}", item, number * 1000 + place)
        for number, session in enumerate(sessions)
        for place, item in enumerate(session)
    )


def recommender(*sessions: str, parameters: Parameters = PARAMETERS) -> Recommender:
    return Recommender.of(model.train(shop(*sessions), parameters))


def seen(items: str) -> list[Seen]:
    return [Seen(item) for item in items]


def listed(answer: Sequence[model.Recommended]) -> str:
    return "".join(each.item for each in answer)


def test_the_index_keeps_the_latest_sessions_of_an_item_and_the_last_clicks_of_a_session() -> None:
    parameters = msgspec.structs.replace(PARAMETERS, recent_sessions=2, session_length=3)
    index = build(shop("ab", "ac", "ad", "xxabcaa"), parameters)
    a = slice(index.posting_starts[0], index.posting_starts[1])
    assert index.posting_sessions[a].tolist() == [2, 3]
    assert index.posting_places[a].tolist() == [0, 2]
    assert [chr(97 + item) for item in index.session_items[index.session_starts[3] :].tolist()] == ["c", "a", "a"]


def test_rules_are_weighed_by_distance_and_the_likeliest_kept() -> None:
    index = build(shop("abc", "ab", "ac"), msgspec.structs.replace(PARAMETERS, rules_per_item=1))
    # after a: b twice beside it; c once beside it and once two clicks on
    assert index.rule_items[index.rule_starts[0] : index.rule_starts[1]].tolist() == [1]
    index = build(shop("abc", "ab", "ac"), PARAMETERS)
    assert index.rule_items[:2].tolist() == [1, 2]
    assert index.rule_weights[:2].tolist() == pytest.approx([1.0, 0.75])


def test_neighbours_vote_for_what_they_saw_and_more_for_what_came_right_after() -> None:
    answer = recommender("pabq", "uv", parameters=ONLY_NEIGHBOURS).recommend(seen("a"), 4)
    scores = {each.item: each.score for each in answer}
    # the item itself and its successor stand nearest; p stands before it, q two clicks after it
    assert scores["b"] == pytest.approx(1.0)
    assert scores["q"] == pytest.approx(math.exp(-1 / PARAMETERS.nearness), rel=1e-4)
    assert scores["p"] == pytest.approx(PARAMETERS.backward, rel=1e-4)
    assert scores.get("u", 0.0) == 0.0


def test_the_latest_item_counts_most_and_is_named_as_the_reason() -> None:
    answer = recommender("ax", "by", "cd", parameters=ONLY_NEIGHBOURS).recommend(seen("ab"), 10)
    reasons = {each.item: each.because for each in answer}
    scores = {each.item: each.score for each in answer}
    assert (reasons["x"], reasons["y"]) == ("a", "b")
    assert scores["x"] == pytest.approx(scores["y"] * PARAMETERS.item_decay, rel=1e-4)


def test_a_rarer_shared_item_makes_a_nearer_neighbour() -> None:
    answer = recommender("ax", "a", "a", "a", "by", "cd", "cd", parameters=ONLY_NEIGHBOURS).recommend(seen("ba"), 10)
    assert listed(answer).index("y") < listed(answer).index("x")


def test_an_older_session_counts_less() -> None:
    day_s = 86_400
    sessions = [("old", "ax", 0), ("new", "ay", PARAMETERS.age_days * day_s), ("other", "zz", 0), ("others", "zw", 0)]
    grouped = clicks.group(
        Click(name, item, at_s + place) for name, items, at_s in sessions for place, item in enumerate(items)
    )
    parameters = msgspec.structs.replace(ONLY_NEIGHBOURS, age_days=PARAMETERS.age_days)
    answer = Recommender.of(model.train(grouped, parameters)).recommend(seen("a"), 10)
    scores = {each.item: each.score for each in answer}
    assert scores["x"] == pytest.approx(scores["y"] / math.e, rel=1e-3)


def test_a_stranger_gets_what_is_popular_and_an_unknown_item_changes_nothing() -> None:
    shown = recommender("aab", "ac", "bd")
    popular = shown.recommend([], 3)
    assert listed(popular) == "abc"
    assert {each.because for each in popular} == {None}
    assert shown.recommend(seen("?"), 3) == popular
    assert shown.recommend(seen("?b?"), 3) == shown.recommend(seen("b"), 3)


def test_what_is_excluded_is_not_listed_and_the_list_stays_full() -> None:
    shown = recommender("abcdefgh")
    answer = listed(shown.recommend(seen("a"), 4, without=frozenset("bc")))
    assert len(answer) == 4
    assert not set(answer) & set("bc")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("abcdefgh", min_size=1, max_size=12), min_size=1, max_size=30),
    st.text("abcdefghz", max_size=15),
    st.integers(1, 12),
)
def test_answers_are_ordered_distinct_and_do_not_depend_on_what_was_asked_before(
    sessions: list[str], own: str, count: int
) -> None:
    shown = recommender(*sessions)
    first = shown.recommend(seen(own), count)
    shown.recommend(seen(own[::-1]), count)
    assert shown.recommend(seen(own), count) == first
    assert len({each.item for each in first}) == len(first) == min(count, len(set("".join(sessions))))
    assert [each.score for each in first] == sorted((each.score for each in first), reverse=True)
    assert all(each.because is None or each.because in own for each in first)


def test_against_the_definition_in_plain_python() -> None:
    """Neighbours' scores as the literature's formula says them, session by session."""
    rng = np.random.default_rng(5)
    texts = ["".join(rng.choice(list("abcdefghij"), rng.integers(1, 9))) for _ in range(60)]
    parameters = msgspec.structs.replace(ONLY_NEIGHBOURS, neighbours=60)
    shown = recommender(*texts, parameters=parameters)
    own = list(dict.fromkeys(reversed("fcab")))
    having = {item: sum(item in text for text in texts) for item in "abcdefghij"}
    votes: dict[str, float] = {}
    for text in texts:
        shared = [age for age, item in enumerate(own) if item in text]
        if not shared:
            continue
        similarity = (
            sum(parameters.item_decay**age * math.log(61 / (having[own[age]] + 0.5)) ** parameters.idf_power for age in shared)
            / len(text) ** parameters.length_power
        )
        at = text.rindex(own[shared[0]])
        for place, item in enumerate(text):
            nearness = math.exp(-max(abs(place - at) - 1, 0) / parameters.nearness)
            votes[item] = votes.get(item, 0.0) + similarity * nearness * (parameters.backward if place < at else 1.0)
    most = max(votes.values())
    answer = {each.item: each.score for each in shown.recommend(seen("fcab"), 10)}
    assert answer == pytest.approx({item: vote / most for item, vote in votes.items()}, rel=1e-4)


def test_the_files_hold_the_model() -> None:
    trained = model.train(shop("abc", "bcd"), PARAMETERS)
    loaded = model.decode(stored(model.encode(trained)))
    assert loaded.vocabulary == trained.vocabulary
    assert loaded.parameters == trained.parameters
    theirs = trained.index._asdict()
    for name, array in loaded.index._asdict().items():
        assert array.dtype == theirs[name].dtype
        assert np.array_equal(array, theirs[name])
    assert Recommender.of(loaded).recommend(seen("b"), 4) == Recommender.of(trained).recommend(seen("b"), 4)


def stored(files: dict[str, bytes], parameters: object = PARAMETERS) -> Version:
    training = Training(source="", from_ms=0, to_ms=0, rows=0, sha256="")
    description = Description(training=training, parameters=msgspec.to_builtins(parameters))
    return Version(manifest_of("recommender", files, description, 0), files)


def test_files_of_another_kind_are_refused() -> None:
    files = model.encode(model.train(shop("abc", "bcd"), PARAMETERS))
    damaged = (
        files | {INDEX_FILE: b"no zip"},
        files | {INDEX_FILE: files[INDEX_FILE][:200]},
        files | {VOCABULARY_FILE: msgspec.msgpack.encode(["too", "few"])},
        {VOCABULARY_FILE: files[VOCABULARY_FILE]},
    )
    for each in damaged:
        with pytest.raises(UnusableModel):
            model.decode(stored(each))
    with pytest.raises(UnusableModel):
        model.decode(stored(files, {"window": "wide"}))
    with pytest.raises(UnusableModel):
        model.decode(stored(files, {"session_length": 2}))


@pytest.mark.parametrize(
    "name", ["posting_sessions", "posting_places", "session_items", "rule_items", "popular", "session_starts"]
)
def test_a_model_whose_numbers_lead_elsewhere_is_refused(name: str) -> None:
    """Compiled code would follow them."""
    trained = model.train(shop("abc", "bcd"), PARAMETERS)
    wrong = getattr(trained.index, name).copy()
    wrong[len(wrong) // 2] = 200
    files = model.encode(msgspec.structs.replace(trained, index=trained.index._replace(**{name: wrong})))
    with pytest.raises(UnusableModel):
        model.decode(stored(files))


def test_an_item_launched_after_the_training_is_recommended_from_live_sessions() -> None:
    trained = model.train(shop(*["ab"] * 20, "cd"), PARAMETERS)
    overlay = Overlay(trained)
    assert "n" not in listed(overlay.recommender().recommend(seen("a"), 10))
    for visitor in range(5):
        overlay.put(f"u{visitor}", ["a", "n"], 10_000.0 + visitor)
    answer = overlay.recommender().recommend(seen("a"), 10)
    assert "n" in listed(answer)[:4]
    assert next(each.because for each in answer if each.item == "n") == "a"
    # and the new item itself leads back to what goes with it
    assert "a" in listed(overlay.recommender().recommend(seen("n"), 3))


def test_a_search_leads_to_what_others_went_on_to_and_is_never_recommended_itself() -> None:
    lamp, sofa = query_item("Floor  LAMP"), query_item("sofa")
    assert lamp is not None
    assert sofa is not None
    sessions = [[lamp, "a", "b"], [lamp, "b"], [sofa, "c"], ["a", lamp, "b"], ["c", "d"]] * 3
    grouped = clicks.group(
        Click(f"s{n}", item, n * 1000 + place) for n, session in enumerate(sessions) for place, item in enumerate(session)
    )
    answer = Recommender.of(model.train(grouped, PARAMETERS)).recommend([Seen(lamp)], 10)
    assert answer[0][0] == "b"
    assert answer[0].because == lamp
    assert {each.item for each in answer} == set("abcd")
    assert query_of(lamp) == "floor lamp"
    assert query_of("a") is None
    assert query_item("x" * 101) is query_item(" ") is None


def test_without_any_model_the_first_visitors_make_one() -> None:
    overlay = Overlay(None)
    assert overlay.recommender().recommend(seen("a"), 5) == []
    overlay.put("u1", ["a", "b"], 1.0)
    overlay.put("u2", ["a", "b", "c"], 2.0)
    assert listed(overlay.recommender().recommend(seen("a"), 2, without=frozenset("a"))) == "bc"
    assert set(listed(overlay.recommender().recommend([], 5))) == set("abc")


def test_the_overlay_keeps_the_latest_sessions_and_each_once() -> None:
    overlay = Overlay(None, most=2)
    for visitor, items in (("u1", "ab"), ("u2", "cd"), ("u1", "abe"), ("u3", "fg")):
        overlay.put(visitor, list(items), 1.0)
    assert set(listed(overlay.recommender().recommend([], 10))) == set("abefg")


def test_a_model_is_only_read() -> None:
    trained = model.train(shop("abc", "bcd"), PARAMETERS)
    for array in trained.index:
        array.flags.writeable = False
    assert isinstance(trained, Model)
    assert listed(Overlay(trained).recommender().recommend(seen("a"), 4))
