"""The read model: an event id in, its :class:`Life` out."""

import time
from collections.abc import Callable
from contextlib import suppress
from pkgutil import resolve_name

from clickstream.aws import Clients
from clickstream.consumers.analytics.views import put_to_visible
from clickstream.consumers.dead_letters.letters import Received, reading
from clickstream.consumers.explain import own
from clickstream.consumers.explain.effects import Look
from clickstream.consumers.explain.life import (
    Effect,
    Letter,
    Life,
    Processing,
    Put,
    Sighting,
    Stretch,
    Unread,
    judged,
    made_at,
    processing,
    put_for,
    stretches,
)
from clickstream.consumers.explain.search import Limit, search, shards_of
from clickstream.consumers.fraud.views import Decision, Decisions
from clickstream.consumers.needs import applications, short_applications
from clickstream.consumers.orders.messages import Order
from clickstream.consumers.orders.views import placed_by, placing
from clickstream.errors import Missing, Rejected
from clickstream.events import AnyEvent
from clickstream.progress.shards_table import ShardsTable
from clickstream.records.kinesis import list_shards
from clickstream.settings import Settings

__all__ = ["Explainer", "Letter", "Life", "Limit", "Processing", "Put", "Stretch", "Unread"]


class Explainer:
    """Raises RetryLater when a store does not answer, Missing when there is no stream."""

    def __init__(
        self, clients: Clients, settings: Settings, clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._clients = clients
        self._settings = settings
        self._clock_ms = clock_ms

    def life(
        self,
        event_id: str,
        *,
        limit: Limit | None = None,
        user_id: str | None = None,
        within: Stretch | None = None,
        with_letters: bool = False,
    ) -> Life:
        """Everything known of an event.

        ``limit`` ends the search; the answer then says what was not searched.
        ``user_id`` saves reading the shards where the user's events cannot be; ``within`` is searched instead of the time
        around the id's own. ``with_letters`` reads the dead-letter queue, which hides its letters from other readers meanwhile.
        """
        letters = self._letters(event_id) if with_letters else None
        limit = limit or Limit()
        decided: Decision | None = None
        with suppress(Missing):  # fraud may never have run here
            # it names a purchase's user and time, whatever its id looks like
            decided = Decisions(self._clients, self._settings).of(event_id)
        decided_ms = decided.occurred_at if decided else None
        user_id = user_id or (decided.user_id if decided else None)
        shards = shards_of(list_shards(self._clients.kinesis, self._settings.stream), user_id)
        found: list[Sighting] = []
        unread: list[Unread] = []
        searched = Stretch(None, None)
        now_ms = self._clock_ms()
        for searched in [within] if within is not None else stretches(made_at(event_id) or decided_ms, now_ms):
            if searched.start_ms is not None and searched.start_ms >= now_ms:
                continue  # nothing can have arrived; Kinesis refuses such a time
            found, unread = search(self._clients.kinesis, self._settings.stream, event_id, shards, searched, limit)
            if found or unread:
                break
        puts = judged(found)
        event = next((each.event for each in found if not isinstance(each.event, Rejected)), None)
        return Life(
            event_id=event_id,
            made_at=made_at(event_id),
            type=None if event is None else event.type,
            user_id=user_id if event is None else event.user_id,
            session_id=None if event is None else event.session_id,
            occurred_at=decided_ms if event is None else event.occurred_at,
            trace_id=_trace_id(event),
            searched=searched,
            shards_searched=[shard.shard_id for shard in shards],
            not_searched=unread,
            puts=puts,
            applications=[self._processing(name, puts, event, letters or []) for name in applications()] if puts else [],
            letters=None if letters is None else [*map(_letter, letters)],
            order=placed_by(event, self._clients, self._settings),
        )

    def placing(self, order_id: str) -> tuple[str, str] | None:
        """(event id, user id) of the purchase that placed an order, or was decided first under its id. Raises RetryLater."""
        order: Order | Decision | None = placing(self._clients, self._settings, order_id)
        if order is None:  # nobody runs the worker that places orders, perhaps
            with suppress(Missing):
                order = next(iter(Decisions(self._clients, self._settings).of_order(order_id, most=1)), None)
        return None if order is None else (order.event_id, order.user_id)

    def _processing(self, application: str, puts: list[Put], event: AnyEvent | None, received: list[Received]) -> Processing:
        letters = [each.letter for each in received if each.letter.application == application]
        put = put_for(application, puts, [letter.position for letter in letters if letter.effect is None])
        if put is None:
            return Processing(application=application, state="not for it")
        effect = self._effect(application, event, put) if event is not None and put.fate == "takes effect" else None
        # as its owner last wrote it
        shard = ShardsTable(self._clients, self._settings).get(application, put.shard)
        usual = None if shard is None else put_to_visible([shard])
        return processing(application, put, shard, usual, effect, self._clock_ms())

    def _effect(self, application: str, event: AnyEvent, put: Put) -> Effect | None:
        """None also when the application keeps nothing per event. Raises RetryLater."""
        needs = applications()[application]
        if needs.own:
            return own.look(self._clients, self._settings, short_applications()[application], event, put)
        look: Look | None = resolve_name(needs.effect) if needs.effect else None
        return look(self._clients, self._settings, event, put) if look else None

    def _letters(self, event_id: str) -> list[Received]:
        with reading(self._clients, self._settings) as queue:
            return [each for each in queue.receive() if each.letter.event_id == event_id]


def _letter(received: Received) -> Letter:
    names = ("application", "position", "reason", "path", "code_version")
    return Letter(letter=received.id, **{name: getattr(received.letter, name) for name in names})


def _trace_id(event: AnyEvent | None) -> str | None:
    """From the W3C traceparent that the collector put into the event's context, if it was traced."""
    traceparent = getattr(getattr(event, "context", None), "traceparent", None)
    return traceparent.split("-")[1] if isinstance(traceparent, str) and traceparent.count("-") == 3 else None
