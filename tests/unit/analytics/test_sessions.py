from __future__ import annotations

import msgspec
import pytest

from clickstream.consumers.analytics.counting.sessions import SPAN, TIMEOUT, Sessions, SessionsState
from clickstream.events import AddToCart, AnyEvent, Item, Login, ProductView, Purchase
from clickstream.records.routing import MAX_HASH_KEY, HashRange, hash_key

MINUTE_MS = 60_000
#: A day and an hour begin here.
MIDNIGHT = 1000 * 24 * 60


def act(what: str, minute: int, session: str = "s", user: str = "u") -> AnyEvent:
    base = {"event_id": "e", "user_id": user, "session_id": session}
    at = minute * MINUTE_MS
    match what:
        case "view":
            return ProductView(**base, occurred_at=at, product_id="p")  # type: ignore[arg-type]  # mypy reads ** as any field
        case "cart":
            return AddToCart(**base, occurred_at=at, product_id="p")  # type: ignore[arg-type]  # as above
        case "buy":
            items = (Item(product_id="p"),)
            return Purchase(**base, occurred_at=at, order_id="o", items=items, amount=1, currency="EUR")  # type: ignore[arg-type]  # as above
        case _:
            return Login(**base, occurred_at=at)  # type: ignore[arg-type]  # as above


def follow(sessions: Sessions, acts: list[tuple[str, int]], watermark: int = 0) -> dict[int, list[int]]:
    """One event at a time, ``(what, minute after midnight)``; the sum of the counters by minute after midnight."""
    total: dict[int, list[int]] = {}
    for what, minute in acts:
        watermark = max(watermark, MIDNIGHT + minute)
        for at, counters in sessions.follow([act(what, MIDNIGHT + minute)], [MIDNIGHT + minute], watermark).items():
            before = total.get(at - MIDNIGHT, [0] * 9)
            total[at - MIDNIGHT] = [mine + more for mine, more in zip(before, counters, strict=True)]
    return total


#: minute → "minute's views carts buys | new to the hour | new to the day"
@pytest.mark.parametrize(
    ("acts", "expected"),
    [
        ([("view", 0), ("cart", 0), ("buy", 0)], {0: "111 111 111"}),
        # a stage counts only after the one before it
        ([("cart", 0), ("buy", 0)], {}),
        ([("cart", 0), ("view", 0), ("buy", 0)], {0: "100 100 100"}),
        ([("cart", 0), ("view", 0), ("cart", 0)], {0: "110 110 110"}),
        ([("view", 0), ("buy", 0), ("cart", 1), ("buy", 1)], {0: "100 100 100", 1: "011 011 011"}),
        # once per window and stage
        ([("view", 0), ("view", 0), ("view", 1)], {0: "100 100 100", 1: "100 000 000"}),
        ([("view", 59), ("view", 60)], {59: "100 100 100", 60: "100 100 000"}),
        ([("view", -1), ("view", 0)], {-1: "100 100 100", 0: "100 100 100"}),
        ([("view", 1), ("cart", 1), ("view", 2), ("cart", 2)], {1: "110 110 110", 2: "110 000 000"}),
        # late events count in their own window, before the session's first too
        ([("view", 5), ("view", 3), ("view", 3), ("view", 5)], {5: "100 100 100", 3: "100 000 000"}),
        ([("view", 1), ("view", -2), ("view", -2), ("view", 1)], {1: "100 100 100", -2: "100 100 100"}),
        # other events neither count nor keep a session alive
        ([("login", 0)], {}),
        # it lasts while the watermark has moved at most TIMEOUT since
        ([("view", 0), ("login", TIMEOUT), ("view", 0), ("cart", 2 * TIMEOUT)], {0: "100 100 100", 2 * TIMEOUT: "010 010 010"}),
        ([("view", 0), ("cart", TIMEOUT)], {0: "100 100 100", TIMEOUT: "010 010 010"}),
        ([("view", 0), ("cart", TIMEOUT + 1)], {0: "100 100 100"}),
        # … and then begins anew: here the late view counts it again in the first minute and hour
        ([("view", 0), ("view", TIMEOUT + 1), ("view", 0)], {0: "200 200 100", TIMEOUT + 1: "100 100 100"}),
        # a session's events lie within a day
        (
            [*(("view", minute) for minute in range(0, SPAN, 60)), ("view", SPAN - 1), ("cart", SPAN)],
            dict.fromkeys(range(60, SPAN, 60), "100 100 000") | {0: "100 100 100", SPAN - 1: "100 000 000"},
        ),
        # … and what begins anew has been counted nowhere, in the watermark's own minute neither
        ([("view", SPAN), ("view", 0), ("view", SPAN)], {SPAN: "200 200 200", 0: "100 100 100"}),
    ],
)
def test_the_funnel_counts_each_session_once_per_window_and_stage(
    acts: list[tuple[str, int]], expected: dict[int, str]
) -> None:
    counters = follow(Sessions(), acts)
    told = {minute: " ".join("".join(map(str, values[at : at + 3])) for at in (0, 3, 6)) for minute, values in counters.items()}
    assert told == expected


def test_sessions_of_two_users_are_two_even_with_one_id() -> None:
    sessions = Sessions()
    events = [act("view", MIDNIGHT, user="a"), act("cart", MIDNIGHT, user="b"), act("view", MIDNIGHT, user="b")]
    assert sessions.follow(events, [MIDNIGHT] * 3, MIDNIGHT)[MIDNIGHT][:3] == [2, 0, 0]


def roundtrip(state: SessionsState) -> SessionsState:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=SessionsState)


@pytest.mark.parametrize("minutes", [1, 20, 21, 22, 200])
def test_a_restored_session_remembers_where_it_was_counted(minutes: int) -> None:
    """Short ones by an integer, long ones by bytes."""
    acts = [("view", minute) for minute in range(0, minutes)]
    sessions = Sessions()
    follow(sessions, acts)
    for state in (sessions.changes(), sessions.snapshot(MIDNIGHT + minutes)):
        restored = Sessions()
        restored.restore(roundtrip(state), None)
        assert follow(restored, acts, MIDNIGHT + minutes - 1) == {}


def test_changes_are_what_changed_since() -> None:
    sessions = Sessions()
    follow(sessions, [("view", 0)])
    assert len(sessions.changes().short) == 1
    assert sessions.changes().short == []
    follow(sessions, [("view", 0)])
    assert sessions.changes().short == [], "a view again in the same minute changes nothing"


def test_expired_sessions_leave_memory() -> None:
    sessions = Sessions()
    for number in range(100):
        sessions.follow([act("view", MIDNIGHT, session=f"s{number}")], [MIDNIGHT], MIDNIGHT)
    later = MIDNIGHT + TIMEOUT + 1
    sessions.follow([act("view", later)], [later], later)
    assert len(sessions) == 1


def test_a_child_shard_takes_the_sessions_of_its_own_users() -> None:
    sessions = Sessions()
    users = [f"u{number}" for number in range(50)]
    sessions.follow([act("view", MIDNIGHT, user=user) for user in users], [MIDNIGHT] * 50, MIDNIGHT)
    lower, upper = HashRange.of(0, MAX_HASH_KEY // 3), HashRange.of(MAX_HASH_KEY // 3 + 1, MAX_HASH_KEY)
    children = Sessions(), Sessions()
    for child, keys in zip(children, (lower, upper), strict=True):
        child.restore(roundtrip(sessions.snapshot(MIDNIGHT)), keys)
    assert len(children[0]) == sum(hash_key(user) in lower for user in users)
    assert len(children[0]) + len(children[1]) == 50
