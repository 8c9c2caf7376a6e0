"""``scoring.c`` as Python calls it. Compiled when clickstream is installed, if there is a C compiler: ``hatch_build.py``."""

import ctypes
from collections.abc import Sequence
from ctypes import c_double, c_float, c_int32, c_int64, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clickstream.models.recommender.index import Index
from clickstream.models.recommender.parameters import Parameters

_FILE = Path(__file__).with_name("libscoring.so")
#: None where it was not compiled. The interpreter's lock is kept: a call is shorter than a change of threads.
_LIBRARY = ctypes.PyDLL(str(_FILE)) if _FILE.exists() else None
AVAILABLE = _LIBRARY is not None


class _Filled(ctypes.Structure):
    """A struct of ``scoring.c``, filled by the fields' names; keeps the arrays whose addresses it holds."""

    def __init__(self, **values: Any) -> None:
        self.kept = values
        plain = {name: value.ctypes.data if isinstance(value, np.ndarray) else value for name, value in values.items()}
        super().__init__(**plain)


def _fields(kind: Any, names: str) -> list[tuple[str, Any]]:
    return [(name, kind) for name in names.split()]


class CompiledIndex(_Filled):
    _fields_ = [
        *_fields(c_void_p, "posting_starts posting_sessions posting_places session_starts session_items session_weights"),
        *_fields(c_void_p, "rule_starts rule_items rule_weights item_weights similarity shared_at shared_age found"),
        ("items", c_int64),
    ]

    @classmethod
    def of(cls, index: Index, window: int, **working: npt.NDArray[np.generic]) -> "CompiledIndex":
        known = {field[0] for field in cls._fields_}
        arrays = {name: array for name, array in index._asdict().items() if name in known}
        found = np.empty(window * _longest(index.posting_starts), np.int32)
        return cls(**arrays, **working, found=found, items=index.items)


def _longest(starts: npt.NDArray[np.int32]) -> int:
    return int(np.diff(starts).max(initial=0))


class CompiledScorer(_Filled):
    """Answers over several indexes; the last is that of the live sessions. For one thread: its working space is kept."""

    _fields_ = [
        *_fields(c_int64, "indexes items neighbours window farthest second_sources popular_count"),
        *_fields(c_double, "rules second_step"),
        *_fields(c_void_p, "repeats by_distance popular_items popular_scores hidden slots listed ages parts scores by_age"),
        *_fields(c_void_p, "best first_items first_ages chosen first_scores"),
    ]

    @classmethod
    def of(cls, indexes: Sequence[CompiledIndex], parameters: Parameters, **arrays: Any) -> "CompiledScorer":
        """``arrays``: by_distance, popular_items, popular_scores, hidden (or None)."""
        items, window = max(index.items for index in indexes), parameters.window
        rules = window * max(_longest(index.kept["rule_starts"]) for index in indexes)
        found = max(len(index.kept["found"]) for index in indexes)
        scorer = cls(
            **arrays,
            indexes=len(indexes),
            items=items,
            farthest=parameters.session_length,
            popular_count=len(arrays["popular_items"]),
            **{name: getattr(parameters, name) for name in "neighbours window second_sources rules second_step".split()},
            repeats=np.array([parameters.repeat * parameters.item_decay**age for age in range(window)], np.float32),
            slots=np.full(items, -1, np.int32),
            parts=np.empty(items, np.uint8),
            **{name: np.empty(items, np.int32) for name in ("listed", "ages")},
            scores=np.empty(items),
            by_age=np.empty(items * window),
            best=np.empty(max(items, parameters.neighbours), np.int32),
            first_scores=np.empty(max(rules, found), np.float32),
            **{name: np.empty(rules, np.int32) for name in ("first_items", "first_ages")},
            chosen=np.empty(parameters.second_sources, np.int32),
        )
        scorer.reached = (c_void_p * len(indexes))(*map(ctypes.addressof, indexes))
        return scorer

    def recommend(
        self, own: Sequence[int], shares: Sequence[float], apart: int, count: int
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Items, scores and ages, see ``scoring.Answer`` and ``scoring.Votes``; ``own``: as many as the window at most."""
        assert _LIBRARY is not None
        owned = len(own)
        items, scores, ages = np.empty(count, np.int32), np.empty(count, np.float32), np.empty(count, np.int32)
        asked = (c_int32 * owned)(*own), (c_float * owned)(*shares), c_int64(owned), c_int64(apart), c_int64(count)
        told = (c_void_p(array.ctypes.data) for array in (items, scores, ages))
        listed = _LIBRARY.recommend(ctypes.byref(self), self.reached, *asked, *told)
        return items[:listed], scores[:listed], ages[:listed]
