"""The duplicates' memory against its definition, however the stream is cut into batches and snapshots."""

from __future__ import annotations

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from clickstream.events import AnyEvent, Login
from clickstream.routing import MAX_HASH_KEY, HashRange, hash_key
from consumers.runtime.duplicates import GENERATION_MS, SeenChunk, SeenEvents

Arrival = tuple[str, int]  # (event id, arrival time in ms)

arrivals = st.lists(st.tuples(st.sampled_from([f"e{n}" for n in range(8)]), st.integers(0, 5 * GENERATION_MS)), max_size=60)


def event(event_id: str) -> AnyEvent:
    return Login(event_id=event_id, user_id=f"user of {event_id}", session_id="s", occurred_at=0)


def by_definition(stream: list[Arrival]) -> list[int]:
    """Indices of the events that count: not seen in the generation of the greatest arrival so far, nor in the one before."""
    last_seen: dict[str, int] = {}
    latest = -1
    new = []
    for index, (event_id, arrived) in enumerate(stream):
        latest = max(latest, arrived // GENERATION_MS)
        if latest - last_seen.get(event_id, -10) > 1:
            new.append(index)
            last_seen[event_id] = latest
    return new


@given(arrivals, st.lists(st.integers(0, 60), max_size=6), st.booleans())
@example([("e1", 0), ("e1", GENERATION_MS), ("e0", 0), ("e0", 2 * GENERATION_MS)], [2], False)  # a generation without news
def test_any_cut_and_any_restart_gives_the_same_answer(stream: list[Arrival], cuts: list[int], full: bool) -> None:
    seen, chain = SeenEvents(), list[list[SeenChunk]]()
    indices: list[int] = []
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut <= len(stream))})
    for start, end in itertools.pairwise(borders):
        part = stream[start:end]
        events = [event(event_id) for event_id, _ in part]
        new = seen.only_new(events, [arrived for _, arrived in part])
        kept = {id(one) for one in new}
        indices += [start + n for n, one in enumerate(events) if id(one) in kept]
        chain = [seen.everything()] if full else [*chain, seen.changes()]
        seen = SeenEvents()
        for link in chain:
            seen.restore(link, keys=None)
    assert indices == by_definition(stream)


@given(arrivals, st.integers(0, MAX_HASH_KEY - 1))
def test_children_know_exactly_their_own_users(stream: list[Arrival], border: int) -> None:
    whole = SeenEvents()
    whole.only_new([event(event_id) for event_id, _ in stream], [arrived for _, arrived in stream])
    chunks = whole.everything()
    for keys in (HashRange.of(0, border), HashRange.of(border + 1, MAX_HASH_KEY)):
        child = SeenEvents()
        child.restore(chunks, keys)
        told = {event_id for chunk in child.everything() for event_id in chunk.event_ids}
        assert told == {event_id for chunk in chunks for event_id in chunk.event_ids if hash_key(f"user of {event_id}") in keys}


sent = st.lists(
    st.tuples(st.sampled_from(["e1", "e2"]), st.sampled_from(["ann", "bob", "eve"]), st.integers(0, 4 * GENERATION_MS)),
    max_size=40,
)


@given(sent, st.lists(st.integers(0, 40), max_size=6))
@example([("e1", "eve", 0), ("e1", "ann", 1), ("e1", "ann", 2), ("e1", "eve", 3)], [1, 2])
def test_an_id_of_two_users_is_two_events(stream: list[tuple[str, str, int]], cuts: list[int]) -> None:
    """As if every user had their own ids: whoever shares a shard with whom, and however it is cut."""
    seen, chain = SeenEvents(), list[list[SeenChunk]]()
    indices: list[int] = []
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut <= len(stream))})
    for start, end in itertools.pairwise(borders):
        part = stream[start:end]
        events = [Login(event_id=each, user_id=user, session_id="s", occurred_at=0) for each, user, _ in part]
        kept = {id(one) for one in seen.only_new(events, [arrived for *_, arrived in part])}
        indices += [start + n for n, one in enumerate(events) if id(one) in kept]
        chain.append(seen.changes())
        seen = SeenEvents()
        for link in chain:
            seen.restore(link, keys=None)
    assert indices == by_definition([(f"{event_id} of {user}", arrived) for event_id, user, arrived in stream])
