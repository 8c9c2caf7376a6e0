"""An application that is none of ours, as the simulator runs it: at full level or short, with what it declares."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from clickstream.application import Application
from clickstream.consumers.needs import find
from clickstream.errors import UserMistake
from clickstream.load.simulation.aws.stores import Keys
from clickstream.load.simulation.fleet.threads import InlineExecutor
from clickstream.needs import Needs
from clickstream.platform import SHARDS


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
    """By the path of its module, or by its name. Raises UserMistake."""
    needs = find(module)
    return Foreign(import_module(needs.wiring).APPLICATION, needs)


@contextmanager
def without_threads() -> Iterator[None]:
    """What a sink gives to threads is done at once, in the caller's: the order of its calls belongs to the seed."""
    submit = ThreadPoolExecutor.submit
    ThreadPoolExecutor.submit = InlineExecutor.submit  # type: ignore[assignment]  # it needs nothing of its own class
    try:
        yield
    finally:
        ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]
