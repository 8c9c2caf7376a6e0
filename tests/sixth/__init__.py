"""A sixth application, which nothing of the platform names: found by CLICKSTREAM_APPLICATIONS."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "baskets"

_NEEDS = '''
"""What baskets needs."""

from clickstream.needs import Access, Needs, Table

LINES = Table("basket-lines", key="event_id")
NEEDS = Needs(
    name="baskets",
    wiring="baskets.wiring",
    tables=(LINES,),
    worker=Access((LINES.may("PutItem"),)),
    serving=Access((LINES.may("GetItem"),)),
    effect="baskets.effect:look",
)
'''

_WIRING = '''
"""Every product that was put into a basket, one item each."""

from baskets.needs import LINES
from clickstream.events import AddToCart


class Fold:
    def __init__(self):
        self._new = []

    def apply(self, events):
        self._new += [event for event in events if isinstance(event, AddToCart)]

    def effects(self, *, flush):
        new, self._new = self._new, []
        return new

    def changes(self):
        return b""

    def snapshot(self):
        return b""

    def restore(self, state, inheritance):
        pass


class Sink:
    def __init__(self, dynamodb, table):
        self._dynamodb, self._table = dynamodb, table

    def write(self, effects, position):
        for event in effects:
            item = {"event_id": {"S": event.event_id}, "product_id": {"S": event.product_id}}
            self._dynamodb.put_item(TableName=self._table, Item=item)


class Baskets:
    name = "baskets"

    def open_fold(self, shard_id):
        return Fold()

    def open_sink(self, shard_id, clients, settings):
        return Sink(clients.dynamodb, LINES.of(settings))


APPLICATION = Baskets()
'''

_EFFECT = '''
"""What baskets has made of one event."""

from baskets.needs import LINES
from clickstream.consumers.explain.effects import item
from clickstream.consumers.explain.life import Effect


def look(clients, settings, event, put):
    found = item(clients, LINES.of(settings), {"event_id": {"S": event.event_id}})
    return None if found is None else Effect(what="in a basket", facts={"product": found["product_id"]["S"]})
'''


def write(folder: Path) -> dict[str, str]:
    """The package, in ``folder``; the variables that make it an application."""
    package = folder / NAME
    package.mkdir()
    for module, source in {"__init__": "", "needs": _NEEDS, "wiring": _WIRING, "effect": _EFFECT}.items():
        (package / f"{module}.py").write_text(source.lstrip())
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    return {"PYTHONPATH": path, "CLICKSTREAM_APPLICATIONS": NAME}
