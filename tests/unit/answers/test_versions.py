"""What another version of an application wrote: read, brought up to date, or refused before anything is done with it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clickstream.answers import HOUR, MINUTE, Application, Count, Messages, Sum, Table, User
from clickstream.answers.effects import Message, Row
from clickstream.events import AddToCart, PageView

AT = 1_764_500_000_000
SENT = Messages("sent")


class Old(msgspec.Struct):
    seen: int = 0


class New(msgspec.Struct):
    seen: list[int] = []
    known: str = "no"


def table(per: int = HOUR, **cells: Any) -> Table:
    return Table("seen", per=per, **(cells or {"views": Count()}))


def application(state: type[msgspec.Struct], seen: Table, **fields: Any) -> Application:
    def viewed(event: PageView, user: User[Any]) -> Any:
        user.state.seen = event.occurred_at if state is Old else [*user.state.seen, event.occurred_at]
        user.wake("later", event.occurred_at + HOUR)
        yield seen.add("all", **dict.fromkeys(seen.cells, 1))

    def carted(event: AddToCart, user: User[Any]) -> Any:
        yield SENT.send(event.event_id, **msgspec.to_builtins(user.state))

    return Application(
        "shop",
        on={"page_view": viewed, "add_to_cart": carted},
        timers={"later": lambda *_: None},
        state=state,
        answers=[seen, SENT],
        **fields,
    )


def view(at_ms: int = AT) -> PageView:
    return PageView(event_id="e", user_id="u", session_id="s", occurred_at=at_ms)


CART = AddToCart(event_id="c", user_id="u", session_id="s", occurred_at=AT, product_id="p")


def written(**fields: Any) -> bytes:
    fold = application(Old, table(), **fields).open_fold("shard")
    fold.apply([view()])
    return fold.snapshot()


def upcast(version: int, fields: dict[str, Any]) -> dict[str, Any]:
    assert version == 1
    return {"seen": [fields["seen"]], "known": "of old"}


def test_an_old_state_is_brought_up_to_date() -> None:
    fold = application(New, table(), version=2, upcast=upcast).open_fold("shard")
    fold.restore(written(), None)
    fold.apply([CART])
    assert [msgspec.json.decode(each.body) for each in fold.effects(flush=True) if isinstance(each, Message)] == [
        {"seen": [AT], "known": "of old"}
    ]
    again = application(New, table(), version=2).open_fold("shard")
    again.restore(fold.snapshot(), None)  # which was written as of this version


@pytest.mark.parametrize(
    ("later", "says"),
    [
        (application(New, table(), version=2), "a user's state of version 1; this is version 2, without an upcast from there"),
        (application(New, table()), "Expected `array`, got `int`"),
        (
            application(New, table(), version=2, upcast=lambda _, fields: {"seen": fields["no"]}),
            "upcast from version 1: KeyError",
        ),
        (application(Old, table(MINUTE)), "table 'seen' had windows of 3600000 ms: give it another name"),
        (application(Old, table(views=Sum())), "table 'seen': views was Count: give it another name"),
    ],
)
def test_a_state_that_cannot_be_read_is_refused(later: Application, says: str) -> None:
    """The runtime stops at this, and touches nothing."""
    with pytest.raises(msgspec.MsgspecError, match=says):
        later.open_fold("shard").restore(written(), None)


def test_a_newer_state_is_refused() -> None:
    newer = application(New, table(), version=2).open_fold("shard")
    newer.apply([view()])
    with pytest.raises(msgspec.MsgspecError, match="of version 2; this is version 1"):
        application(Old, table()).open_fold("shard").restore(newer.snapshot(), None)


def rows(later: Application, state: bytes) -> list[Row]:
    fold = later.open_fold("shard")
    fold.restore(state, None)
    fold.apply([view()])
    return [effect for effect in fold.effects(flush=True) if isinstance(effect, Row)]


def test_a_new_cell_begins_empty_in_a_part_of_its_own() -> None:
    """It may be an old one that comes back: what the store has of it is in no state, and is not written over."""
    (row,) = rows(application(Old, table(views=Count(), pieces=Sum())), written())
    assert row.late > 0
    assert row.cells == {"views": 1, "pieces": 1}


def test_a_table_that_was_away_writes_over_nothing() -> None:
    away = Application("shop", on={}, state=Old, answers=[SENT]).open_fold("shard")
    away.restore(written(), None)
    (row,) = rows(application(Old, table()), away.snapshot())
    assert row.late > 0
    assert row.cells == {"views": 1}


def test_with_another_lateness_all_parts_are_closed() -> None:
    """The rule that says which part takes an addition has changed: what is stored already is not written over."""
    (before,) = rows(application(Old, table()), written())
    (after,) = rows(application(Old, table(), lateness=HOUR), written())
    assert (before.late, before.cells) == (0, {"views": 2})
    assert after.late > 0
    assert after.cells == {"views": 1}
