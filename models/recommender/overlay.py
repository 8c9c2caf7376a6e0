"""What happened since the model was trained: the latest sessions as a second, small index. Pure.

So an item that was launched a minute ago is recommended as soon as some sessions have shown what goes with it, and a shop
without any model has recommendations after its first visitors. Nothing here is state that must survive: it refills itself.
"""

from collections import ChainMap
from collections.abc import Sequence

import numpy as np

from clickstream.models.recommender.clicks import Clicks, group
from clickstream.models.recommender.index import build
from clickstream.models.recommender.model import Model, Recommender, train
from clickstream.models.recommender.parameters import Parameters
from clickstream.models.recommender.scoring import Neighbourhood

#: The latest sessions that are remembered. On real clicks (yoochoose_100k) without any model, as many as one shard has of
#: the last days: 4,000 give a recall of .64, 20,000 .72, and their index takes 75 ms.
SESSIONS = 20_000


class Overlay:
    """The latest session of each visitor. ``recommender`` makes the index: milliseconds per thousand, so not at each click."""

    def __init__(self, model: Model | None, most: int = SESSIONS) -> None:
        self._most = most
        self._sessions: dict[str, tuple[Sequence[str], float]] = {}
        self.rebase(model or EMPTY)

    def rebase(self, model: Model) -> None:
        """Go on over another model; sessions that it was trained on would count twice and are dropped."""
        self._model = model
        self._sessions = {visitor: session for visitor, session in self._sessions.items() if session[1] > model.until_s}
        self._places = {item: place for place, item in enumerate(model.vocabulary)}
        self._neighbourhood = Neighbourhood(model.index, model.parameters)

    def __len__(self) -> int:
        return len(self._sessions)

    def put(self, visitor: str, items: Sequence[str], at_s: float) -> None:
        """A visitor's session as it is now, replacing what it was; ``at_s``: its latest click, in seconds since the epoch."""
        self._sessions.pop(visitor, None)
        self._sessions[visitor] = (items, at_s)
        if len(self._sessions) > self._most:
            del self._sessions[next(iter(self._sessions))]

    def recommender(self) -> Recommender:
        """Answers of the model and the sessions so far. It shares working space with those before it."""
        model, known = self._model, self._places
        launched: dict[str, int] = {}
        named = sorted(self._sessions.items(), key=lambda entry: entry[1][1])
        ordered = [session for _, session in named]
        items = [
            known[item] if item in known else launched.setdefault(item, len(known) + len(launched))
            for session, _ in ordered
            for item in session
        ]
        clicks = Clicks(
            [*model.vocabulary, *launched],
            np.cumsum([0, *(len(session) for session, _ in ordered)], dtype=np.int32),
            np.array(items, dtype=np.int32),
            np.array([at_s for _, at_s in ordered], dtype=np.float64),
            ordered[0][1] if ordered else 0.0,
        )
        index = build(clicks, model.parameters)
        # an item that only the live sessions know is as rare as any
        rarity = np.concatenate([model.index.idf, np.full(len(launched), model.index.idf.max(initial=1.0), np.float32)])
        live = Neighbourhood(index, model.parameters, rarity.astype(np.float32))
        return Recommender(
            [self._neighbourhood, live] if model.index.sessions else [live],
            clicks.vocabulary,
            ChainMap(launched, known),
            model.parameters,
            {visitor: number for number, (visitor, _) in enumerate(named)},
        )


#: The model of a shop that has none yet.
EMPTY = train(group(()), Parameters())
