"""What a short application keeps is bounded, and can be read again, whatever its handlers and made-up users do."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from moto import mock_aws

from clickstream.answers import DAY, HOUR, MINUTE, Application, Count, Table, Top, User
from clickstream.answers.effects import Row
from clickstream.answers.fold import ShortFold
from clickstream.answers.needs import needs_of
from clickstream.answers.sink import AnswersSink
from clickstream.answers.users import WrongAnswer
from clickstream.application import Inheritance
from clickstream.aws import Clients
from clickstream.events import PageView
from clickstream.records.position import Position
from clickstream.records.routing import WHOLE_SPACE
from clickstream.settings import Settings

AT = 1_764_460_800_000


class Seen(msgspec.Struct):
    views: int = 0


def view(user: str = "u", at_ms: int = AT) -> PageView:
    return PageView(event_id="e", user_id=user, session_id="s", occurred_at=at_ms)


def opened(handler: Any, most_users: int = 1000, **fields: Any) -> ShortFold:
    timers = {"idle": lambda *_: None}
    return ShortFold(Application("shop", on={"page_view": handler}, timers=timers, **fields), most_users=most_users)


def ids(fold: ShortFold) -> list[str]:
    return [user[0] for user in msgspec.msgpack.decode(fold.snapshot())[7]]


@pytest.mark.parametrize("long", [6_000, 30])
def test_a_row_of_long_keys_fits_into_an_item(long: int) -> None:
    table = Table("seen", one=Top(500), two=Top(10))
    state = {name: cell.empty() for name, cell in table.cells.items()}
    for n in range(9_000):
        for name, cell in table.cells.items():
            if n == 4_000:  # a restart on the way
                state[name] = cell.unpack(msgspec.msgpack.decode(msgspec.msgpack.encode(cell.pack(state[name]))))
            state[name] = cell.add(state[name], (f"{n:0{long}}", 10**12))
    sizes = [len(msgspec.msgpack.encode(cell.pack(state[name]))) for name, cell in table.cells.items()]
    assert sum(sizes) < 70_000
    assert table.cells["one"].read(state["one"])[0]["count"] == 10**12


@pytest.mark.parametrize("value", [0.5, 2**70, object()])
@pytest.mark.parametrize("whole", [False, True])
def test_a_state_that_could_not_be_read_again_is_not_stored(value: Any, whole: bool) -> None:
    def handler(event: PageView, user: User[Seen]) -> None:
        user.state.views = value

    fold = opened(handler, state=Seen)
    fold.apply([view()])
    with pytest.raises(WrongAnswer, match=r"user\.state"):
        fold.snapshot() if whole else fold.changes()


@pytest.mark.parametrize("timers", [{}, {"idle": lambda *_: None}])
def test_nothing_is_kept_of_users_without_a_state(timers: Any) -> None:
    def handler(event: PageView, user: User[Any]) -> None:
        user.forget()
        user.state = {"views": 1}

    with pytest.raises(WrongAnswer, match="declare state="):
        ShortFold(Application("shop", on={"page_view": handler}, timers=timers)).apply([view()])


@pytest.mark.parametrize("users", [1, 10_000])
def test_timers_that_are_taken_back_leave_nothing(users: int) -> None:
    def handler(event: PageView, user: User[Seen]) -> None:
        user.sleep("idle")
        user.wake("idle", event.occurred_at + HOUR)

    fold = opened(handler, most_users=10, state=Seen)
    fold.apply([view(f"u{n % users}", AT + n) for n in range(10_000)])
    assert len(fold._users._alarms) <= 1_100


def test_after_a_merge_those_met_least_lately_go_first() -> None:
    fold = opened(lambda *_: None, most_users=3, state=Seen)
    for users, at_ms in (("new", "newer"), AT + MINUTE), (("old", "older"), AT):
        parent = opened(lambda *_: None, state=Seen)
        parent.apply([view(user, at_ms) for user in users])
        fold.restore(parent.snapshot(), Inheritance(WHOLE_SPACE))
    fold.apply([view("x", AT + MINUTE)])
    assert ids(fold) == ["new", "newer", "x"]
    assert fold.forgotten == 2


@pytest.mark.parametrize(("per", "expires"), [(0, None), (DAY, AT + 2 * DAY), (MINUTE, AT + DAY + HOUR)])
def test_no_part_of_a_window_goes_before_it_has_ended(per: int, expires: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "test")
    application = Application("shop", on={}, answers=[Table("seen", per=per, kept=DAY, views=Count())])
    with mock_aws(), patch("clickstream.answers.sink.time.time", lambda: (AT + HOUR) / 1000):
        clients, (table,) = Clients(Settings()), needs_of(application).tables
        clients.dynamodb.create_table(**table.creation(table.of(Settings())))
        row = Row("seen", AT if per else 0, 0, "k", {"views": 1})
        AnswersSink(application, "shardId-000000000000", clients, Settings()).write([row], Position(1))
        (stored,) = clients.dynamodb.scan(TableName=table.of(Settings()))["Items"]
    assert stored.get("expires") == (expires and {"N": str(expires // 1000)})
