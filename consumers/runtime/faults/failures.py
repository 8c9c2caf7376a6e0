"""Several effects failed in one call: which failure the sink lets out. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from clickstream.errors import RetryLater, Unwritable


def raise_gravest(failures: Iterable[BaseException | None]) -> None:
    """A bug first; then what passes if the call is repeated; what will never pass only when nothing else is left to do."""
    found = [failure for failure in failures if failure is not None]
    for failure in sorted(found, key=_gravity):
        raise failure


def _gravity(failure: BaseException) -> int:
    return 2 if isinstance(failure, Unwritable) else 1 if isinstance(failure, RetryLater) else 0
