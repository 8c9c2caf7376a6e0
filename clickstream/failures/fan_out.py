"""Effects written side by side: a batch write knows no conditions, and threads hide the round trips of single ones."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Any, TypeVar

from clickstream.errors import RetryLater, Unwritable

T = TypeVar("T")


def write_each(threads: Executor, write: Callable[[T], Any], effects: Iterable[T]) -> None:
    """Write all effects, and raise the gravest failure; the others are written, and writing them again does no harm."""
    writes = [threads.submit(write, effect) for effect in effects]
    raise_gravest(write.exception() for write in writes)


def raise_gravest(failures: Iterable[BaseException | None]) -> None:
    """A bug first; then what passes if the call is repeated; what will never pass only when nothing else is left to do."""
    found = [failure for failure in failures if failure is not None]
    if found:
        raise min(found, key=lambda failure: isinstance(failure, RetryLater) + 2 * isinstance(failure, Unwritable))
