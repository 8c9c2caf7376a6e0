"""The laws of a fold, each as a function of events: what differs between two runs that must not differ."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from clickstream.application import Inheritance
from clickstream.events import AnyEvent
from clickstream.load.proving.purity import Purity
from clickstream.load.proving.runs import Run
from clickstream.load.proving.twins import Twin
from clickstream.load.simulation.answers import differences
from clickstream.load.simulation.foreign import Foreign
from clickstream.records.routing import MAX_HASH_KEY, WHOLE_SPACE, HashRange, hash_key

Feed = Sequence[AnyEvent]
#: Of one feed. What is drawn beside it has no bounds that depend on it, so that it can be made shorter.
MOST_EVENTS = 12
#: Longer than any timer is likely to wait, shorter than users are kept.
_LONG_MS = 20 * 86_400_000
Draw = Callable[[st.SearchStrategy[Any]], Any]


class Subject(NamedTuple):
    foreign: Foreign
    purity: Purity
    twins: Sequence[Twin]

    def run(self) -> Run:
        return Run(self.foreign, self.purity)


def no_clock_randomness_or_io(subject: Subject, feed: Feed, _: Draw) -> Iterator[str]:
    """While the fold runs, asking for any raises Impure."""
    shard = subject.run().shard()
    shard.take(feed)
    shard.give()
    shard.again([shard.state(full=False), shard.state()])
    yield from ()


def the_same_in_every_process(subject: Subject, feed: Feed, _: Draw) -> Iterator[str]:
    """Strings hash differently in another process, so a set has another order there."""
    one, other = (twin.answers(feed) for twin in subject.twins)
    return differences(one, other)


def independent_of_batches(subject: Subject, feed: Feed, draw: Draw) -> Iterator[str]:
    """The state is that of the events in order, however they were cut into batches."""
    run = subject.run()
    shard = run.shard()
    for batch in _cut(feed, draw):
        shard.take(batch)
    shard.give()
    return differences(run.answers(), subject.run().whole(feed))


def effects_absolute_and_idempotent(subject: Subject, feed: Feed, draw: Draw) -> Iterator[str]:
    """Asked for more often, written twice, and once more by a zombie when all is written, they leave the same."""
    run = subject.run()
    shard = run.shard()
    for batch in _cut(feed, draw):
        shard.take(batch)
        shard.give(flush=draw(st.booleans()), times=2)
    shard.give()
    for late in list(run.written):
        run.write(*late)
    return differences(run.answers(), subject.run().whole(feed))


def restored_as_never_stopped(subject: Subject, feed: Feed, draw: Draw) -> Iterator[str]:
    """A process that restores snapshot and changes goes on as the one before would have."""
    run = subject.run()
    shard, chain = run.shard(), list[bytes]()
    for batch in _cut(feed, draw):
        shard.take(batch)
        shard.give(flush=False)
        full = draw(st.booleans())
        chain = [*(() if full else chain), shard.state(full=full)]
        if draw(st.booleans()):
            shard = shard.again(chain)
    shard.give()
    return differences(run.answers(), subject.run().whole(feed))


def keyed_state_moves(subject: Subject, feed: Feed, draw: Draw) -> Iterator[str]:
    """What is kept per key is the same after a split and a merge as without; what names a shard is not compared.

    Between split and merge no event moves the watermark, which a shard takes from its own events alone; a last one moves it
    far, so that all that waits for it has happened.
    """
    first, second = sorted(min(end, len(feed)) for end in draw(st.tuples(*[st.integers(1, MOST_EVENTS)] * 2)))
    watermark = max(event.occurred_at for event in feed[:first])
    between = [msgspec.structs.replace(event, occurred_at=watermark) for event in feed[first:second]]
    latest = max(event.occurred_at for event in feed) + _LONG_MS
    last = msgspec.structs.replace(feed[-1], event_id="the last", user_id="passer-by", occurred_at=latest)
    before, after = feed[:first], [*feed[second:], last]
    border = int.from_bytes(hash_key(feed[min(draw(st.integers(0, MOST_EVENTS)), len(feed) - 1)].user_id), "big")
    run = subject.run()
    parent = run.shard()
    parent.take(before)
    parent.give()
    merged, children = WHOLE_SPACE, list[bytes]()
    state = parent.state(full=draw(st.booleans()))
    for keys in (HashRange.of(0, border), HashRange.of(border + 1, MAX_HASH_KEY)):
        child = run.shard()
        child.restore(state, Inheritance(keys))
        child.take([event for event in between if hash_key(event.user_id) in keys])
        child.give()
        children.append(child.state())
    shard = run.shard()
    for state in children:
        shard.restore(state, Inheritance(merged))
    shard.take(after)
    shard.give()
    never = subject.run().whole([*before, *between, *after])
    return differences(*({k: v for k, v in side.items() if "shardId-" not in k + v} for side in (run.answers(), never)))


LAWS: Sequence[Callable[[Subject, Feed, Draw], Iterator[str]]] = (
    no_clock_randomness_or_io,
    the_same_in_every_process,
    independent_of_batches,
    effects_absolute_and_idempotent,
    restored_as_never_stopped,
    keyed_state_moves,
)
"""In this order: what breaks one may break those after it too."""


def _cut(feed: Feed, draw: Draw) -> Iterable[Feed]:
    batch: list[AnyEvent] = []
    for event in feed:
        batch.append(event)
        if draw(st.booleans()):
            yield batch
            batch = []
    if batch:
        yield batch
