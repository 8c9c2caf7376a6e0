"""Answers for a session that the asker tells, from the model that serves: nothing is stored, nobody need be known."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor

from models.recommender.model import Model, Recommended, Recommender, Seen
from models.registry.following import LOOK_EVERY_MS, Followed


class SessionRecommender:
    """Follows the registry on a thread of its own, so that an answer never waits for a load. Ask from one thread.

    ``clock_ms``: the wall clock.
    """

    def __init__(self, model: Followed[Model], clock_ms: Callable[[], int]) -> None:
        self._model = model
        self._clock_ms = clock_ms
        self._looked_ms: int | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._looking: Future[None] | None = None
        self._serving: tuple[Recommender, str] | None = None

    def of(self, viewed: Sequence[str], count: int, without: Set[str]) -> tuple[list[Recommended], str] | None:
        """Items for who has viewed these (the latest last), and the model's version; None while there is no model.

        Raises what a look at the registry raised, if that was a bug.
        """
        self._look_if_due()
        if self._serving is None:
            return None
        recommender, version = self._serving
        return recommender.recommend([Seen(item) for item in viewed], count, without), version

    def _look_if_due(self) -> None:
        if self._looking is not None and self._looking.done():
            self._looking.result()
            self._looking = None
        now_ms = self._clock_ms()
        due = self._looked_ms is None or not 0 <= now_ms - self._looked_ms < LOOK_EVERY_MS
        if due and self._looking is None:
            self._looked_ms = now_ms
            self._looking = self._thread.submit(self._look, now_ms)

    def _look(self, now_ms: int) -> None:
        if self._model.look(now_ms) and self._model.value is not None and self._model.version is not None:
            self._serving = Recommender.of(self._model.value), self._model.version
