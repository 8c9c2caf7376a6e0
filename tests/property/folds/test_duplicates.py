"""The duplicates' memory against its definition, however the stream is cut into batches and snapshots."""

from __future__ import annotations

import itertools
import sys

from hypothesis import example, given
from hypothesis import strategies as st

from clickstream.consumers.runtime.loop.duplicates import GENERATION_MS, SeenChunk, SeenEvents
from clickstream.events import AnyEvent, Login
from clickstream.records.routing import MAX_HASH_KEY, WHOLE_SPACE, HashRange, hash_key

Identity = tuple[str, str]  # (event id, user): an id is a client's word, and two users may use the same
Arrival = tuple[Identity, int]  # with the arrival time in ms

identities = st.tuples(st.sampled_from([f"e{n}" for n in range(6)]), st.sampled_from(["u0", "u1", "u2"]))
arrivals = st.lists(st.tuples(identities, st.integers(0, 5 * GENERATION_MS)), max_size=60)


def event(identity: Identity) -> AnyEvent:
    return Login(event_id=identity[0], user_id=identity[1], session_id="s", occurred_at=0)


def at(event_id: str, arrived_ms: int) -> Arrival:
    return (event_id, "u0"), arrived_ms


def by_definition(stream: list[Arrival]) -> list[int]:
    """Indices of the events that count: not seen in the generation of the greatest arrival so far, nor in the one before."""
    last_seen: dict[Identity, int] = {}
    latest = -1
    new = []
    for index, (identity, arrived) in enumerate(stream):
        latest = max(latest, arrived // GENERATION_MS)
        if latest - last_seen.get(identity, -10) > 1:
            new.append(index)
            last_seen[identity] = latest
    return new


@given(arrivals, st.lists(st.integers(0, 60), max_size=6), st.booleans())
@example(  # a generation without news
    [at("e1", 0), at("e1", GENERATION_MS), at("e0", 0), at("e0", 2 * GENERATION_MS)], [2], False
)
def test_any_cut_and_any_restart_gives_the_same_answer(stream: list[Arrival], cuts: list[int], full: bool) -> None:
    seen, chain = SeenEvents(), list[list[SeenChunk]]()
    indices: list[int] = []
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut <= len(stream))})
    for start, end in itertools.pairwise(borders):
        part = stream[start:end]
        events = [event(identity) for identity, _ in part]
        new = seen.only_new(events, [arrived for _, arrived in part])
        kept = {id(one) for one in new}
        indices += [start + n for n, one in enumerate(events) if id(one) in kept]
        chain = [seen.everything()] if full else [*chain, seen.changes()]
        seen = SeenEvents()
        for link in chain:
            seen.restore(link, keys=None)
    assert indices == by_definition(stream)


@given(arrivals, st.lists(st.integers(0, 60), max_size=6), st.booleans(), st.integers(1, 6))
def test_a_bound_is_kept_and_forgets_the_same_however_it_is_cut(
    stream: list[Arrival], cuts: list[int], full: bool, half: int
) -> None:
    most = 2 * half

    def new_in(borders: list[int]) -> list[int]:
        seen, chain, found = SeenEvents(most), list[list[SeenChunk]](), list[int]()
        for start, end in itertools.pairwise(borders):
            events = [event(identity) for identity, _ in stream[start:end]]
            kept = {id(one) for one in seen.only_new(events, [arrived for _, arrived in stream[start:end]])}
            found += [start + n for n, one in enumerate(events) if id(one) in kept]
            assert len(seen) <= most
            chain = [seen.everything()] if full else [*chain, seen.changes()]
            seen = SeenEvents(most)
            for link in chain:
                seen.restore(link, keys=None)
            assert len(seen) <= most
        return found

    assert new_in(sorted({0, len(stream), *(cut for cut in cuts if cut <= len(stream))})) == new_in([0, len(stream)])
    assert new_in(list(range(len(stream) + 1))) == new_in([0, len(stream)])


def test_what_is_forgotten_early_is_counted_and_what_is_young_stays() -> None:
    seen = SeenEvents(most=100)
    for n in range(250):
        assert seen.only_new([event((f"e{n}", "u"))], [0])
        assert not seen.only_new([event((f"e{n}", "u"))], [0])
    assert len(seen) <= 100
    assert seen.forgotten > 0
    assert seen.only_new([event((f"e{n}", "u")) for n in range(200, 250)], [0] * 50) == []


LONG = [("\U0001f600" * 128, "u"), ("x" * 256, "u"), ("x" * 255 + "y", "u"), ("e", "\U0001f600" * 128), ("e", "é")]


def test_an_id_costs_little_however_long_it_and_its_user_are() -> None:
    seen = SeenEvents()
    for each in (LONG, LONG[:2]):  # in one batch, and what was seen
        new = seen.only_new([event(identity) for identity in each], [0] * len(each))
        assert len(new) == (len(LONG) if each is LONG else 0)
    (chunk,) = seen.everything()
    assert max(map(sys.getsizeof, [*chunk.event_ids, *chunk.user_ids])) <= 96
    for keys in (HashRange.of(0, MAX_HASH_KEY // 2), HashRange.of(MAX_HASH_KEY // 2 + 1, MAX_HASH_KEY)):
        child = SeenEvents()
        child.restore([chunk], keys)
        mine = [event(identity) for identity in LONG if hash_key(identity[1]) in keys]
        assert child.only_new(mine, [0] * len(mine)) == [], "it moves with its user"
        assert len(child) == len(mine)


def test_a_snapshot_of_a_version_that_kept_ids_as_they_are_is_read() -> None:
    old = SeenChunk(0, [user for _, user in LONG], [event_id for event_id, _ in LONG[:4]] + ["e\né"])
    seen = SeenEvents()
    seen.restore([old], keys=None)
    assert seen.only_new([event(identity) for identity in LONG], [0] * len(LONG)) == []


@given(arrivals, st.integers(0, MAX_HASH_KEY - 1))
def test_children_know_exactly_their_own_users(stream: list[Arrival], border: int) -> None:
    whole = SeenEvents()
    whole.only_new([event(identity) for identity, _ in stream], [arrived for _, arrived in stream])
    chunks = whole.everything()
    for keys in (HashRange.of(0, border), HashRange.of(border + 1, MAX_HASH_KEY)):
        child = SeenEvents()
        child.restore(chunks, keys)
        assert known(child.everything()) == {identity for identity in known(chunks) if hash_key(identity[1]) in keys}


@given(arrivals, arrivals)
def test_a_merge_knows_the_users_of_both_parents(one: list[Arrival], other: list[Arrival]) -> None:
    """Also when both parents had the same id, of different users."""
    parents = []
    for stream, users in ((one, {"u0", "u1"}), (other, {"u2"})):
        parent = SeenEvents()
        mine = [arrival for arrival in stream if arrival[0][1] in users] + [at("last", 5 * GENERATION_MS)]
        parent.only_new([event(identity) for identity, _ in mine], [arrived for _, arrived in mine])
        parents.append(parent.everything())
    child = SeenEvents()
    for chunks in parents:
        child.restore(chunks, WHOLE_SPACE)
    assert known(child.everything()) == known(parents[0]) | known(parents[1])


def known(chunks: list[SeenChunk]) -> set[Identity]:
    return {
        (key.partition("\n")[0], user) for chunk in chunks for user, key in zip(chunk.user_ids, chunk.event_ids, strict=True)
    }
