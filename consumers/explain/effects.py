"""What each application's store holds of an event: one keyed read each, never a scan."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from clickstream.aws import Clients
from clickstream.consumers.explain.life import Effect, Put
from clickstream.errors import Missing
from clickstream.events import AnyEvent
from clickstream.failures.outages import asked
from clickstream.settings import Settings

#: What an application's ``needs`` names as its ``effect``. None: the store has nothing of the event yet. Raises RetryLater.
Look = Callable[[Clients, Settings, AnyEvent, Put], Effect | None]


def item(clients: Clients, table: str, key: Mapping[str, Any]) -> Mapping[str, Any] | None:
    with suppress(Missing), asked("DynamoDB", f"table {table}"):  # the application may never have been set up here
        return clients.dynamodb.get_item(TableName=table, Key=dict(key), ConsistentRead=True).get("Item")
    return None
