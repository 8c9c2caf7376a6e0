"""What each application's store holds of an event: one keyed read each, never a scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pkgutil import resolve_name
from typing import Any

from clickstream.aws import Clients
from clickstream.errors import Missing
from clickstream.events import AnyEvent
from clickstream.failures.outages import asked
from clickstream.settings import Settings
from consumers.explain.life import Effect, Put
from consumers.needs import applications

#: What an application's ``needs`` names as its ``effect``. None: the store has nothing of the event yet. Raises RetryLater.
Look = Callable[[Clients, Settings, AnyEvent, Put], Effect | None]


def of(application: str, clients: Clients, settings: Settings, event: AnyEvent, put: Put) -> Effect | None:
    """None also when the application keeps nothing per event. Raises RetryLater."""
    path = applications()[application].effect
    if not path:
        return None
    look: Look = resolve_name(path)
    return look(clients, settings, event, put)


def item(clients: Clients, table: str, key: Mapping[str, Any]) -> Mapping[str, Any] | None:
    with suppress(Missing), asked("DynamoDB", f"table {table}"):  # the application may never have been set up here
        return clients.dynamodb.get_item(TableName=table, Key=dict(key), ConsistentRead=True).get("Item")
    return None
