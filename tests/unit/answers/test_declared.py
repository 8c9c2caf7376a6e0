"""Every mistake in a declaration is one line with a hint, and every one of a handler says what it should have yielded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from clickstream.answers import HOUR, MINUTE, Application, Count, Distinct, Files, Max, Messages, Quantiles, Table, Top, User
from clickstream.answers.users import WrongAnswer
from clickstream.errors import UserMistake
from clickstream.events import PageView

AT = 1_764_500_000_000
SEEN = Table("seen", per=HOUR, views=Count(), viewers=Distinct(), top=Top(3), prices=Quantiles(), last=Max())

LOG = Files("log")


class Frozen(msgspec.Struct, frozen=True):
    at: int = 0


class Mistyped(msgspec.Struct):
    at: int = None  # type: ignore[assignment]


class Without(msgspec.Struct):
    at: int


def nothing(event: Any, user: User[Any]) -> None:
    return None


def declare(**fields: Any) -> Application:
    return Application(**{"name": "shop", "on": {"page_view": nothing}, "answers": [SEEN], **fields})


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: declare(name="My Shop"), "'My Shop' cannot name an application and its tables"),
        (lambda: declare(on={"wihs": nothing}), "application 'shop': no event has the type 'wihs'"),
        (lambda: declare(on={"page_view": "seen"}), "application 'shop': page_view has no function"),
        (lambda: declare(answers=["seen"]), "application 'shop': 'seen' is no answer"),
        (lambda: declare(answers=[SEEN, Messages("seen")]), "application 'shop' has two answers named 'seen'"),
        (lambda: declare(answers=[Messages("To All")]), "application 'shop': 'To All': not a name"),
        (lambda: declare(answers=[Messages("all", to="kafka")]), "application 'shop': 'all' goes to 'kafka'"),  # type: ignore[arg-type]
        (lambda: declare(answers=[Files("all", "csv")]), "application 'shop': 'all' has the format 'csv'"),  # type: ignore[arg-type]
        (lambda: declare(state=Frozen), f"application 'shop': {Frozen!r} cannot be the state of a user"),
        (lambda: declare(state=Without), f"application 'shop': {Without!r} cannot be the state of a user"),
        (lambda: declare(version=0), "application 'shop': version=0"),
        (lambda: Table("seen", per=7 * HOUR, views=Count()), "table 'seen': per=25200000"),
        (lambda: Table("seen"), "table 'seen' has no cells"),
        (lambda: Table("seen", views=Count), "table 'seen': views=<class 'clickstream.answers.cells.Count'> is no cell"),  # type: ignore[arg-type]
        (lambda: declare(lateness=1.5 * MINUTE), "application 'shop': lateness=90000.0"),  # type: ignore[arg-type,unused-ignore]
        (lambda: declare(users_kept="5"), "application 'shop': users_kept='5'"),
        (lambda: declare(timers=["cart"]), "application 'shop': not by name"),
        (lambda: declare(answers=Messages), f"application 'shop': {Messages!r} is no list of answers"),
        (lambda: declare(state=Mistyped), f"application 'shop': {Mistyped!r} cannot be the state of a user"),
        (lambda: Table("seen", per=HOUR / 2, views=Count()), "table 'seen': per=1800000.0"),  # type: ignore[arg-type]
        (lambda: Table("seen", kept=1.5 * HOUR, views=Count()), "table 'seen': kept=5400000.0"),  # type: ignore[arg-type]
        (lambda: Table(5, views=Count()), "table 5: not a name"),  # type: ignore[arg-type]
        (lambda: Top(0), "Top(0): how many keys is an int from 1 to 500"),
        (lambda: Top(2.5), "Top(2.5): how many keys is an int from 1 to 500"),  # type: ignore[arg-type]
        (lambda: Quantiles(0.5, 50), "Quantiles(0.5, 50): a quantile is a number from 0 to 1"),
        (lambda: Table("seen", position=Count()), "table 'seen': no cell may be named 'position'"),
    ],
)
def test_a_mistake_in_a_declaration(make: Callable[[], object], says: str) -> None:
    with pytest.raises(UserMistake) as told:
        make()
    assert str(told.value) == says
    assert told.value.hint


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Table("sold", n=Count()).add("a", n=1), "the application has no table 'sold': name it among its answers"),
        (SEEN.add("a", sold=1), "table 'seen' has no cell 'sold'; it has views, viewers, top, prices, last"),
        (SEEN.add("a", views="1"), "table 'seen': Count takes an int from 0 to 10**12, not '1'"),
        (SEEN.add("a", views=-1), "table 'seen': Count takes an int from 0 to 10**12, not -1"),
        (SEEN.add("a", viewers=None), "table 'seen': Distinct takes a str that is not empty, not None"),
        (SEEN.add("a", viewers=""), "table 'seen': Distinct takes a str that is not empty, not ''"),
        (LOG.write(), "Writing(files='log', fields={}) is no answer of the application: "),
        (SEEN.add("a", top=("a", "b")), "table 'seen': Top takes a str, or a str with an int from 0 to 10**12, not ('a', 'b')"),
        (SEEN.add("a", prices=float("nan")), "table 'seen': Quantiles takes a number from 0 on, not nan"),
        (SEEN.add("a", last="now"), "table 'seen': Max takes an int of at most 2**53 either way or a finite float, not 'now'"),
        (SEEN.add("", views=1), "a row's key is a str of 1 to 512 bytes without control characters, not ''"),
        (SEEN.add(7, views=1), "a row's key is a str of 1 to 512 bytes without control characters, not 7"),  # type: ignore[arg-type]
        (Messages("all").send("id"), "Sending(messages='all', id='id', body={}) is no answer of the application: "),
        ("seen", "'seen' is no answer of the application: "),
    ],
)
def test_a_handler_that_yields_what_is_not_declared(answer: Any, says: str) -> None:
    """No ClickstreamError: the runtime takes it for a bug that one event sets off, and in the end sets the event aside."""

    def handler(event: PageView, user: User[None]) -> list[Any]:
        return [answer]

    fold = declare(on={"page_view": handler}, answers=[SEEN, LOG]).open_fold("shard")
    with pytest.raises(WrongAnswer) as told:
        fold.apply([PageView(event_id="e", user_id="u", session_id="s", occurred_at=AT)])
    assert str(told.value).startswith(says)


def test_an_unknown_timer_and_a_time_that_is_none() -> None:
    def late(event: PageView, user: User[None]) -> None:
        user.wake("cart", event.occurred_at)

    def odd(event: PageView, user: User[None]) -> None:
        user.wake("card", 1.5)  # type: ignore[arg-type]

    def never(event: PageView, user: User[None]) -> None:
        user.wake("card", 2**62)

    event = PageView(event_id="e", user_id="u", session_id="s", occurred_at=AT)
    time = "an int of milliseconds, from 1970 to 2099"
    for handler, says in (late, "no timer 'cart'; the application's timers are ['card']"), (odd, time), (never, time):
        fold = declare(on={"page_view": handler}, timers={"card": lambda *_: None}).open_fold("shard")
        with pytest.raises(WrongAnswer, match=says.replace("[", r"\[").replace("]", r"\]")):
            fold.apply([event])
