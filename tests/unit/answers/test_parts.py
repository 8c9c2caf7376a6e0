"""Which part of its window takes an addition."""

from __future__ import annotations

from collections.abc import Iterator

from clickstream.answers import DAY, MINUTE, Application, Count, Table, User
from clickstream.answers.declared import Addition
from clickstream.answers.effects import Row
from clickstream.answers.fold import ShortFold
from clickstream.events import AnyEvent, Login, PageView

AT = 1_764_500_000_000 - 1_764_500_000_000 % DAY
SEEN = Table("seen", per=MINUTE, views=Count())


def viewed(event: PageView, user: User[None]) -> Iterator[Addition]:
    yield SEEN.add(user.id, views=1)


def rows(*events: AnyEvent, most_rows: int = 10) -> list[tuple[int, object]]:
    """(part, views) of the first minute."""
    fold = ShortFold(Application("shop", on={"page_view": viewed}, answers=[SEEN], lateness=2 * MINUTE), most_rows=most_rows)
    fold.apply(events)
    effects = fold.effects(flush=True)
    return [(effect.late, effect.cells["views"]) for effect in effects if isinstance(effect, Row) and effect.start_ms == AT]


def view(at_ms: int, user: str = "u") -> PageView:
    return PageView(event_id="e", user_id=user, session_id="s", occurred_at=at_ms)


def moved(at_ms: int) -> Login:
    """Moves the watermark, and the table knows nothing of it."""
    return Login(event_id="e", user_id="u", session_id="s", occurred_at=at_ms)


def test_lateness_ends_to_the_millisecond() -> None:
    turn = 1 + AT // (15 * MINUTE)
    assert rows(view(AT), moved(AT + 3 * MINUTE - 1), view(AT)) == [(0, 2)]
    assert rows(view(AT), moved(AT + 3 * MINUTE), view(AT)) == [(0, 1), (turn, 1)]
    assert rows(view(AT), moved(AT + 14 * MINUTE), view(AT), view(AT)) == [(0, 1), (turn, 2)]
    assert rows(view(AT), moved(AT + 15 * MINUTE), view(AT)) == [(0, 1), (turn + 1, 1)]


def test_with_too_many_rows_all_parts_are_closed() -> None:
    turn = 1 + AT // (15 * MINUTE)
    assert rows(view(AT), view(AT, "v"), view(AT), most_rows=1) == [(0, 1), (turn + 1, 1), (turn + 2, 1)]
