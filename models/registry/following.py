"""A program that serves a model follows the registry's pointer: it looks now and then, and swaps the model between two uses.

What cannot be used changes nothing: the model at hand goes on, and the log says why.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from clickstream.errors import Missing, RetryLater, Unwritable
from clickstream.models.registry.manifest import UnusableModel, Version
from clickstream.models.registry.s3 import Registry

T = TypeVar("T")

log = structlog.get_logger()

#: A promotion is picked up within this time (ms).
LOOK_EVERY_MS = 5_000


@dataclass
class Followed(Generic[T]):
    """The model in use. ``make`` builds it from a version's files and may raise UnusableModel. Not for several threads."""

    versions: Registry
    model: str
    make: Callable[[Version], T]
    every_ms: int = field(default=LOOK_EVERY_MS, kw_only=True)
    version: str | None = field(default=None, init=False)
    value: T | None = field(default=None, init=False)
    """None while no version serves."""

    def __post_init__(self) -> None:
        self._looked_ms: int | None = None
        self._refused: str | None = None

    def look(self, now_ms: int) -> bool:
        """Load what the pointer names if it is time to look and it is another version; True when the model was swapped.

        Call it where a swap does no harm: between two commits. ``now_ms``: the wall clock.
        """
        if self._looked_ms is not None and 0 <= now_ms - self._looked_ms < self.every_ms:
            return False
        self._looked_ms = now_ms
        wanted: str | None = None
        try:
            pointer = self.versions.current(self.model)
            if pointer is None or pointer.version in {self.version, self._refused or self.version}:
                return False
            wanted = pointer.version
            made = None if wanted is None else self.make(self.versions.load(self.model, wanted))
        except UnusableModel as error:
            self._refused = wanted  # asking for it again cannot mend it
            log.error("model refused", model=self.model, refused=wanted, goes_on_with=self.version, reason=str(error))
            return False
        except (RetryLater, Missing, Unwritable) as error:
            log.warning("registry does not answer", model=self.model, goes_on_with=self.version, error=str(error))
            return False
        self.value, self.version, self._refused = made, wanted, None
        log.info("model loaded" if wanted else "model taken back", model=self.model, version=wanted)
        return True
