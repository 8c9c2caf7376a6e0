"""The recommender as the shop uses it: item ids in, item ids out; and as the registry keeps it: two files without pickle."""

import io
import zipfile
from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from clickstream.models.recommender.clicks import Clicks
from clickstream.models.recommender.index import Index, build
from clickstream.models.recommender.parameters import Parameters
from clickstream.models.recommender.queries import are_queries
from clickstream.models.recommender.scoring import NONE_OF_THEM, POPULAR, Neighbourhood, Own, Scorer
from clickstream.models.registry.manifest import UnusableModel, Version

INDEX_FILE = "index.npz"
VOCABULARY_FILE = "vocabulary.msgpack"


class Seen(NamedTuple):
    """An item of the visitor's session, a product or a search (``queries``); ``weight`` 1 for a view."""

    item: str
    weight: float = 1.0


class Recommended(NamedTuple):
    """``because``: the item of the session that speaks most for this one; None when it is popular and no more."""

    item: str
    score: float
    because: str | None


class Model(msgspec.Struct, frozen=True):
    vocabulary: Sequence[str]
    index: Index
    parameters: Parameters
    until_s: float
    """The last click that it was trained on, in seconds since the epoch."""


def train(clicks: Clicks, parameters: Parameters) -> Model:
    return Model(clicks.vocabulary, build(clicks, parameters), parameters, float(clicks.ended_s.max(initial=0.0)))


class Recommender:
    """Answers of one index, or of several over one item space, whose ids ``places`` and ``vocabulary`` tell. For one thread.

    ``live``: the last index's sessions by their visitors' ids, so that nobody is compared with themselves.
    """

    def __init__(
        self,
        neighbourhoods: Sequence[Neighbourhood],
        vocabulary: Sequence[str],
        places: Mapping[str, int],
        parameters: Parameters,
        live: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._live = live
        self._vocabulary = vocabulary
        self._places = places
        self._window = parameters.window
        self._scorer = Scorer(neighbourhoods, parameters, are_queries(vocabulary))

    @classmethod
    def of(cls, model: Model) -> "Recommender":
        places = {item: place for place, item in enumerate(model.vocabulary)}
        return cls([Neighbourhood(model.index, model.parameters)], model.vocabulary, places, model.parameters)

    def recommend(
        self, session: Sequence[Seen], count: int, without: Set[str] = frozenset(), visitor: str | None = None
    ) -> list[Recommended]:
        """The best ``count`` items for a session (the latest click last), best first; a stranger's session is empty."""
        apart = NONE_OF_THEM if visitor is None else self._live.get(visitor, NONE_OF_THEM)
        answer = self._scorer.recommend(self.own(session), count + len(without), apart)
        listed = zip(answer.items.tolist(), answer.scores.tolist(), answer.because.tolist(), strict=True)
        vocabulary = self._vocabulary
        named = [
            Recommended(vocabulary[item], score, None if because == POPULAR else vocabulary[because])
            for item, score, because in listed
        ]
        return [each for each in named if each.item not in without][:count]

    def own(self, session: Sequence[Seen]) -> Own:
        """The session as the scorer takes it; items that no index knows are passed over."""
        weights: dict[int, float] = {}
        for item, weight in reversed(session):
            place = self._places.get(item)
            if place is not None:
                if place not in weights and len(weights) == self._window:
                    break
                weights[place] = max(weights.get(place, 0.0), weight)
        return Own(list(weights), list(weights.values()))


def encode(model: Model) -> dict[str, bytes]:
    """The registry's files of a model; its parameters stand in the manifest."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **model.index._asdict())
    return {INDEX_FILE: buffer.getvalue(), VOCABULARY_FILE: msgspec.msgpack.encode(list(model.vocabulary))}


def decode(version: Version) -> Model:
    """Raises UnusableModel when the files are not what this code reads."""
    try:
        parameters = msgspec.convert(version.manifest.description.parameters, Parameters)
        vocabulary = msgspec.msgpack.decode(version.files[VOCABULARY_FILE], type=list[str])
        with np.load(io.BytesIO(version.files[INDEX_FILE]), allow_pickle=False) as stored:
            arrays: Mapping[str, npt.NDArray[np.generic]] = {name: stored[name] for name in Index._fields}
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile, msgspec.MsgspecError) as error:
        raise UnusableModel(f"not a recommender of this code: {error}") from error
    index = Index(**arrays)  # type: ignore[arg-type]  # their types are checked next
    _check(index, len(vocabulary), parameters)
    return Model(vocabulary, index, parameters, version.manifest.description.training.to_ms / 1000)


def _check(index: Index, items: int, parameters: Parameters) -> None:
    """The digests say that the file is the trainer's; this says that the trainer's code and ours agree on what is in it."""
    expected = dict.fromkeys(("session_weights", "rule_weights", "idf", "popularity"), np.float32)
    for name, array in index._asdict().items():
        kind = expected.get(name, np.uint8 if name == "posting_places" else np.int32)
        if array.dtype != kind or array.ndim != 1:
            raise UnusableModel(f"the index's {name} is {array.dtype} in {array.ndim} dimensions")
    lists = (
        (index.posting_starts, index.posting_sessions, items),
        (index.session_starts, index.session_items, index.sessions),
        (index.rule_starts, index.rule_items, items),
    )
    fits = all(len(starts) == count + 1 and starts[-1] == len(content) for starts, content, count in lists)
    counts_fit = index.items == len(index.popularity) == len(index.popular) == items
    # compiled code follows these numbers without a look
    orders = (index.posting_starts, index.session_starts, index.rule_starts)
    rises = all(starts[0] == 0 and np.diff(starts).min(initial=0) >= 0 for starts in orders)
    bounds: tuple[tuple[npt.NDArray[np.integer], int], ...] = (
        (index.posting_sessions, index.sessions),
        (index.posting_places, parameters.session_length),
        *((numbers, items) for numbers in (index.session_items, index.rule_items, index.popular)),
    )
    in_bounds = all(not len(numbers) or (numbers.min() >= 0 and numbers.max() < most) for numbers, most in bounds)
    lengths_fit = np.diff(index.session_starts).max(initial=0) <= parameters.session_length <= 255
    if not (fits and counts_fit and rises and in_bounds and lengths_fit):
        raise UnusableModel("the index's arrays do not fit together")
