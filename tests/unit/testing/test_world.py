"""The world in memory: what is fed is in the rows exactly once, whatever happens in between."""

from __future__ import annotations

import msgspec
import pytest

from clickstream.errors import UserMistake
from clickstream.events import AnyEvent, Login, ProductView
from clickstream.testing import World, upcasts
from tests.unit.testing import folds

USERS = [f"user-{number}" for number in range(20)]


def views(world: World, name: str) -> list[AnyEvent]:
    return [
        ProductView(
            event_id=f"{name} {user}", user_id=user, session_id="s", occurred_at=world.now_ms, product_id=f"{name} product"
        )
        for user in USERS
    ]


def tallies(world: World) -> dict[str, tuple[int, str]]:
    rows = {row["user"]: msgspec.json.decode(row["tally"]) for row in world.rows("tally-users")}
    return {user: (rows[user]["events"], rows[user]["first"]) for user in USERS}


def test_kill_split_and_merge_change_no_answer() -> None:
    world = World(folds.APPLICATION, folds.NEEDS)
    world.feed(*views(world, "first"))
    world.kill()
    world.split()
    world.feed(*views(world, "second"))
    world.advance(60_000)
    world.kill()
    world.merge()
    world.feed(*views(world, "third"), *views(world, "first"))
    assert tallies(world) == dict.fromkeys(USERS, (3, "first product"))
    assert len(world.shards) == 1
    assert sum(row["events"] for row in world.rows("tally-hours")) == 3 * len(USERS) + 2


def test_what_was_not_committed_is_delivered_again() -> None:
    world = World(folds.RELATIVE_EFFECTS, folds.NEEDS)
    world.feed(*views(world, "first"))
    once = world.stores.tables["tally-users"][("user-0",)]["events"]
    world.kill()
    (row,) = (row for row in world.rows("tally-users") if row["user"] == "user-0")
    assert (once, row["events"]) == ({"N": "1"}, 2), "an effect that is no absolute value shows it"


def test_an_application_at_full_level_must_say_what_it_needs() -> None:
    with pytest.raises(UserMistake, match="tally needs"):
        World(folds.APPLICATION)


def test_an_old_state_is_read_or_refused() -> None:
    fold = folds.TallyFold("shardId-0")
    fold.apply([Login(event_id="e", user_id="ann", session_id="s", occurred_at=1_800_000_000_000)])
    read = upcasts(folds.APPLICATION, fold.snapshot())
    assert isinstance(read, folds.TallyFold)
    assert read.state.users == {"ann": folds.Tally(events=1)}
    with pytest.raises(msgspec.ValidationError):
        upcasts(folds.APPLICATION, msgspec.msgpack.encode({"users": 1}))
