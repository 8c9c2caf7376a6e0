"""What a short application has made of an event: the rows that it counted in, the messages that were sent for it.

Its handler is called once more, for a user of whom nothing else is known, and what it yields is looked up: a row counts if its
shard has written it at the event's position or later, a message if the outbox has its identity. So what depends on more of
the user's state than this event made is not found; and nothing is told that the stores do not hold.
"""

from contextlib import suppress
from typing import Any

from clickstream.answers.declared import Addition, Answer, Application, Sending
from clickstream.answers.effects import identity, place
from clickstream.answers.needs import outbox
from clickstream.answers.reading import Answers, merged
from clickstream.answers.users import Users
from clickstream.aws import Clients
from clickstream.consumers.explain.effects import item
from clickstream.consumers.explain.life import Effect, Put
from clickstream.errors import Missing, Rejected, UserMistake
from clickstream.events import AnyEvent
from clickstream.settings import Settings


def look(clients: Clients, settings: Settings, application: Application, event: AnyEvent, put: Put) -> Effect | None:
    """See ``clickstream.consumers.explain.effects.Look``."""
    try:
        at_once, in_time = alone(application, event)
    except Exception:  # noqa: BLE001  # a shop's own code, which may need the state that the user had
        return None
    reader = Answers(clients, settings, {application.name: application})
    added = sorted({(each.table, each.key) for each in at_once if isinstance(each, Addition) and isinstance(each.key, str)})
    rows: list[dict[str, Any]] = []
    with suppress(Missing, UserMistake, Rejected):  # it may never have been set up here, or another version of it may run
        for name, key in added:
            if (table := application.tables.get(name)) is None:
                continue
            start_ms = event.occurred_at - event.occurred_at % table.per if table.per else 0
            stored = list(reader.stored(application.name, table, start_ms, key))
            if any(place(each)[1] == put.shard and each["position"]["S"] >= str(put.position) for each in stored):
                (row,) = merged(table, start_ms, stored)
                rows.append({"table": name, "window": row.start, "key": key, "values": row.values})
    messages = []
    for sending in (each for each in (*at_once, *in_time) if isinstance(each, Sending)):
        its = {"id": {"S": identity(sending.messages, sending.id)}}
        if (sent := item(clients, outbox(application.name).of(settings), its)) is not None:
            messages.append({"messages": sending.messages, "id": sending.id, "state": sent["state"]["S"]})
    what = "answered with" if application.state is None else "answered with, as far as the event alone tells"
    return Effect(what=what, facts={"rows": rows, "messages": messages}) if rows or messages else None


def alone(application: Application, event: AnyEvent) -> tuple[list[Answer], list[Answer]]:
    """What it answers to an event of a stranger: at once, and by the timers that this sets. Raises what its functions raise."""
    user = Users(application, most=1).meet(event.user_id, event.occurred_at)
    at_once = [*(application.on[event.type](event, user) or ())] if event.type in application.on else []
    due = sorted((at_ms, name) for name, at_ms in user.timers.items())
    return at_once, [answer for at_ms, name in due for answer in application.timers[name](user, at_ms) or ()]
