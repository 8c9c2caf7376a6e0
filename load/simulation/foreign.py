"""An application that is none of ours, as the simulator runs it: at full level or short, with what it declares."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from clickstream.answers import Messages, sink
from clickstream.answers.outbox import Deliver
from clickstream.application import Application
from clickstream.consumers.needs import find
from clickstream.errors import UserMistake
from clickstream.load.simulation.aws.stores import Keys
from clickstream.load.simulation.fleet.threads import InlineExecutor
from clickstream.needs import Needs
from clickstream.platform import SHARDS
from clickstream.settings import Settings


class Foreign(NamedTuple):
    application: Application
    needs: Needs

    @classmethod
    def of(cls, application: Application, needs: Needs | None = None) -> Foreign:
        """A short application has its needs; for one at full level they are given."""
        found: Needs | None = needs or getattr(application, "needs", None)
        if found is None:
            raise UserMistake(f"what the application {application.name} needs is not known", hint="give its NEEDS as `needs`")
        return cls(application, found)

    @property
    def keys(self) -> Keys:
        """Of all tables that it may call."""
        return {table.suffix: tuple(filter(None, (table.key, table.range_key))) for table in (SHARDS, *self.needs.tables)}

    @property
    def handles(self) -> Collection[str]:
        """The types of events that it answers to, as far as it tells; a short application does."""
        handlers: dict[str, Any] = getattr(self.application, "on", {})
        return frozenset(handlers)


def load(module: str) -> Foreign:
    """By the application's name or its module's path, as for a worker. Raises UserMistake when there is none."""
    needs = find(module)
    return Foreign(import_module(needs.wiring).APPLICATION, needs)


@contextmanager
def without_threads() -> Iterator[None]:
    """What a sink gives to threads is done at once, in the caller's: the order of its calls belongs to the seed.

    And a webhook of a short application is reached through the clients, as all else is.
    """
    submit, deliver = ThreadPoolExecutor.submit, sink._deliver
    ThreadPoolExecutor.submit = InlineExecutor.submit  # type: ignore[assignment]  # it needs nothing of its own class
    sink._deliver = _deliver
    try:
        yield
    finally:
        ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]
        sink._deliver = deliver


_really = sink._deliver


def _deliver(application: str, messages: Messages, clients: Any, settings: Settings) -> Deliver:
    if messages.to != "webhook":
        return _really(application, messages, clients, settings)
    return lambda _id, key, document: clients.webhooks.post(messages.name, key, document)
