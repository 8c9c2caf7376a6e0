"""``check``: hypothesis looks for events under which an application breaks a law, and makes them few."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from random import Random

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clickstream.application import Application, Fold, Inheritance
from clickstream.events import AnyEvent
from clickstream.load.proving.laws import LAWS, MOST_EVENTS, Draw, Feed, Subject
from clickstream.load.proving.purity import Impure, Purity
from clickstream.load.proving.twins import Twin
from clickstream.load.simulation.clients.generating import Generator
from clickstream.load.simulation.foreign import Foreign, without_threads
from clickstream.needs import Needs
from clickstream.records.routing import WHOLE_SPACE

Events = st.SearchStrategy[AnyEvent] | Sequence[AnyEvent] | None
Law = Callable[[Subject, Feed, Draw], Iterator[str]]
_START_MS, _MINUTE = 1_800_000_000_000, 60_000


class BrokenLaw(AssertionError):
    """``law`` is the name of a function in ``clickstream.load.proving.laws``; ``events`` are as few as were found."""

    def __init__(self, law: str, why: str, events: Feed) -> None:
        shown = "".join(f"\n  {msgspec.json.encode(event).decode()}" for event in events)
        super().__init__(f"{law.replace('_', ' ')}: {why}\nafter{shown}")
        self.law, self.why, self.events = law, why, events


def check(application: Application, events: Events = None, *, examples: int = 100, needs: Needs | None = None) -> None:
    """Prove the laws of a fold and its sink, with ``examples`` feeds for each. Raises BrokenLaw for the first that is broken.

    ``events``: a strategy for one event, or a list to choose from; None makes events of all types, mostly of those that a short
    application handles. ``needs``: of an application at full level. It must be found in a module, by a second process.
    """
    foreign = Foreign.of(application, needs)
    with without_threads(), ExitStack() as twins:
        # a module that is loaded at the first event is watched from the second on
        subject = Subject(foreign, Purity(), [twins.enter_context(Twin(foreign, seed)) for seed in ("1", "2")])
        for law in LAWS:
            _prove(law, subject, _feeds(events, foreign), examples)


def _prove(law: Law, subject: Subject, feeds: st.SearchStrategy[list[AnyEvent]], examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(feeds, st.data())
    def holds(feed: list[AnyEvent], data: st.DataObject) -> None:
        try:
            why = next(law(subject, feed, data.draw), None)
        except Impure as call:
            raise BrokenLaw(LAWS[0].__name__, f"the fold called {call}", feed) from None
        if why is not None:
            raise BrokenLaw(law.__name__, why, feed)

    holds()


def _feeds(events: Events, foreign: Foreign) -> st.SearchStrategy[list[AnyEvent]]:
    """Without duplicates, which no fold gets to see."""
    if events is None:
        generator = Generator(foreign.handles)

        def made(drawn: list[tuple[int, str, int]]) -> list[AnyEvent]:
            return [
                generator.event(
                    Random(seed), event_id=f"e{number}", user_id=user, session_id="s", occurred_at=_START_MS + minute * _MINUTE
                )
                for number, (seed, user, minute) in enumerate(drawn)
            ]

        users = st.sampled_from(("ann", "bob", "cat", "dan", "eve"))
        drawn = st.tuples(st.integers(0, 2**16), users, st.integers(0, 3_000))
        return st.lists(drawn, min_size=1, max_size=MOST_EVENTS).map(made)
    one = events if isinstance(events, st.SearchStrategy) else st.sampled_from(list(events))
    return st.lists(one, min_size=1, max_size=MOST_EVENTS, unique_by=lambda event: (event.event_id, event.user_id))


def upcasts(application: Application, old_state: bytes) -> Fold:
    """The fold that has read a state which an earlier version's ``snapshot`` or ``changes`` gave, for the test to look into.

    Raises whatever ``restore`` raises: at its start, as parent's state, or of what the fold makes of it.
    """
    fold, child, again = (application.open_fold(f"shardId-{number:012d}") for number in range(3))
    fold.restore(old_state, None)
    child.restore(old_state, Inheritance(WHOLE_SPACE))
    again.restore(fold.snapshot(), None)
    return fold
