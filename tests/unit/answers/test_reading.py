"""Rows as shards have written them, read as answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clickstream.answers import HOUR, Quantiles, Table
from clickstream.answers.reading import MOST_WINDOWS, Answers, Row
from clickstream.aws import Clients
from clickstream.errors import UserMistake
from clickstream.settings import Settings
from tests.unit.serving import wishes
from tests.unit.serving.wishes import APPLICATION, EVER, THIS_HOUR, WISHES

BEFORE = THIS_HOUR - HOUR


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    with wishes.stored(monkeypatch) as clients:
        yield clients


@pytest.fixture
def answers(clients: Clients) -> Answers:
    return Answers(clients, Settings(), {"wishlist": APPLICATION})


def wished(clients: Clients, start_ms: int, key: str, times: int, shard: int = 0, late: int = 0) -> None:
    wishes.row(clients, Settings(), WISHES, start_ms, key, shard, late, wishes=[1] * times)


def counts(found: list[Row]) -> list[tuple[int, str, int]]:
    return [((each.start or 0) // HOUR - THIS_HOUR // HOUR, each.key, each.values["wishes"]) for each in found]


def test_a_key_is_one_answer_over_shards_and_late_parts(clients: Clients, answers: Answers) -> None:
    for shard, late, users in ((0, 0, ["ann", "bob"]), (1, 0, ["bob"]), (0, 7, ["cy"])):
        wishes.row(clients, Settings(), WISHES, THIS_HOUR, "p#1", shard, late, wishes=[1] * len(users), wishers=users)
    (found,) = answers.rows("wishlist", "wishes", THIS_HOUR, THIS_HOUR + HOUR)
    assert (found.start, found.end, found.key) == (THIS_HOUR, THIS_HOUR + HOUR, "p#1")
    # bob wished on two shards, once each
    assert found.values == {"wishes": 4, "wishers": 3, "tags": []}


def test_newest_windows_first_and_in_them_the_greatest(clients: Clients, answers: Answers) -> None:
    for start, key, times in (
        (BEFORE, "b", 4),
        (BEFORE, "a", 4),
        (BEFORE, "d", 5),
        (THIS_HOUR, "c", 1),
        (THIS_HOUR + HOUR, "e", 9),
    ):
        wished(clients, start, key, times)
    before = [(-1, "d", 5), (-1, "a", 4), (-1, "b", 4)]
    assert counts(answers.rows("wishlist", "wishes", BEFORE, THIS_HOUR + 1)) == [(0, "c", 1), *before]
    assert counts(answers.rows("wishlist", "wishes", BEFORE, THIS_HOUR + 1, limit=2)) == [(0, "c", 1), (-1, "d", 5)]
    assert counts(answers.rows("wishlist", "wishes", BEFORE + 1, THIS_HOUR)) == before
    # older windows are not read then
    assert len(answers.rows("wishlist", "wishes", BEFORE, THIS_HOUR + 1, limit=1, most=1)) == 1


def test_by_a_cell_over_all_windows(clients: Clients, answers: Answers) -> None:
    for start, key, times in ((BEFORE, "b", 2), (THIS_HOUR, "c", 1), (THIS_HOUR, "b", 3), (THIS_HOUR, "a", 1)):
        wished(clients, start, key, times)
    wishes.row(clients, Settings(), WISHES, THIS_HOUR, "nothing", tags=["x"])
    found = answers.rows("wishlist", "wishes", BEFORE, THIS_HOUR + 1, order="wishes")
    assert [each.key for each in found] == ["b", "b", "a", "c", "nothing"]  # equals: newest window, then key
    assert counts(found[:2]) == [(0, "b", 3), (-1, "b", 2)]


def test_one_key_and_none_that_only_begins_as_it(clients: Clients, answers: Answers) -> None:
    for start, key, shard in ((BEFORE, "p", 0), (THIS_HOUR, "p", 1), (THIS_HOUR, "p#1", 0), (THIS_HOUR, "p1", 0)):
        wished(clients, start, key, 1, shard)
    assert counts(answers.rows("wishlist", "wishes", BEFORE, THIS_HOUR + 1, key="p")) == [(0, "p", 1), (-1, "p", 1)]
    assert counts(answers.rows("wishlist", "wishes", BEFORE, THIS_HOUR + 1, key="p#1")) == [(0, "p#1", 1)]


def test_a_table_without_windows_is_the_same_at_any_time(clients: Clients, answers: Answers) -> None:
    wishes.row(clients, Settings(), EVER, 0, "p", dearest=[5, 9])
    wishes.row(clients, Settings(), EVER, 0, "p", shard=1, dearest=[7])
    assert answers.rows("wishlist", "ever", 0, 1) == answers.rows("wishlist", "ever", THIS_HOUR, THIS_HOUR + 1)
    assert answers.rows("wishlist", "ever", 0, 1) == [Row(None, None, "p", {"dearest": 9})]


def test_more_pages_than_one(clients: Clients, answers: Answers) -> None:
    # DynamoDB answers with at most 1 MB
    for number in range(24):
        wishes.row(clients, Settings(), WISHES, THIS_HOUR, f"p{number:02d}", wishers=[f"{number}-{'x' * 60_000}"])
    assert len(answers.rows("wishlist", "wishes", THIS_HOUR, THIS_HOUR + 1)) == 24


def test_a_question_is_bounded(clients: Clients, answers: Answers) -> None:
    for key in "abc":
        wished(clients, THIS_HOUR, key, 1)
    assert len(answers.rows("wishlist", "wishes", THIS_HOUR, THIS_HOUR + 1, most=3)) == 3
    with pytest.raises(UserMistake, match="too many rows"):
        answers.rows("wishlist", "wishes", THIS_HOUR, THIS_HOUR + 1, most=2)
    with pytest.raises(UserMistake, match="more than 1,000 windows"):
        answers.rows("wishlist", "wishes", 0, MOST_WINDOWS * HOUR + 1)


@pytest.mark.parametrize(
    ("question", "says", "hint"),
    [
        (("basket", "wishes"), "no application is named basket", "wishlist"),
        (("wishlist", "carts"), "no table of wishlist is named carts", "wishes, ever"),
        (("wishlist", "wishes", "price"), "no cell with numbers is named price", "wishes, wishers"),
        (("wishlist", "wishes", "tags"), "no cell with numbers is named tags", "wishes, wishers"),
    ],
)
def test_a_mistake_is_told_with_what_there_is(
    clients: Clients, answers: Answers, question: tuple[str, ...], says: str, hint: str
) -> None:
    application, table, *order = question
    with pytest.raises(UserMistake) as told:
        answers.rows(application, table, THIS_HOUR, THIS_HOUR + 1, order=order[0] if order else None)
    assert says in str(told.value)
    assert hint in told.value.hint


def test_a_cell_of_another_kind_is_told(clients: Clients, answers: Answers) -> None:
    other = Table("wishes", wishes=Quantiles())
    wishes.row(clients, Settings(), other, THIS_HOUR, "p", wishes=[1])
    with pytest.raises(UserMistake, match="what wishes has stored as wishes is no Count"):
        answers.rows("wishlist", "wishes", THIS_HOUR, THIS_HOUR + 1)


def test_complete_to_is_its_own_shards(clients: Clients, answers: Answers) -> None:
    assert answers.complete_to("wishlist") is None
    wishes.seen(clients, Settings(), THIS_HOUR + 5, complete_to=THIS_HOUR)
    assert answers.complete_to("wishlist") == THIS_HOUR
