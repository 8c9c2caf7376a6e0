"""``scoring.c`` as Python calls it. Compiled when clickstream is installed, if there is a C compiler: ``hatch_build.py``."""

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, c_double, c_float, c_int32, c_int64, c_uint8
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clickstream.models.recommender.index import Index
from clickstream.models.recommender.parameters import Parameters

LIBRARY = Path(__file__).with_name("libscoring.so")
_BOOL = POINTER(c_uint8)


class _Filled(ctypes.Structure):
    """Filled by the fields' names; keeps the arrays whose addresses it holds."""

    def __init__(self, **values: Any) -> None:
        self.kept = values
        kinds: dict[str, Any] = dict(self._fields_)  # type: ignore[arg-type]  # none of them is a bit field
        super().__init__(
            **{
                name: value.ctypes.data_as(kinds[name]) if isinstance(value, np.ndarray) else value
                for name, value in values.items()
            }
        )


class CompiledIndex(_Filled):
    _fields_ = (
        *((name, POINTER(c_int32)) for name in ("posting_starts", "posting_sessions")),
        ("posting_places", _BOOL),
        *((name, POINTER(c_int32)) for name in ("session_starts", "session_items")),
        ("session_weights", POINTER(c_float)),
        *((name, POINTER(c_int32)) for name in ("rule_starts", "rule_items")),
        *((name, POINTER(c_float)) for name in ("rule_weights", "item_weights", "similarity")),
        *((name, _BOOL) for name in ("shared_at", "shared_age")),
        ("found", POINTER(c_int32)),
        ("items", c_int64),
    )

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

    _fields_ = (
        *(
            (name, c_int64)
            for name in ("indexes", "items", "neighbours", "window", "farthest", "second_sources", "popular_count")
        ),
        *((name, c_double) for name in ("rules", "second_step")),
        *((name, POINTER(c_float)) for name in ("repeats", "by_distance")),
        ("popular_items", POINTER(c_int32)),
        ("popular_scores", POINTER(c_float)),
        ("hidden", _BOOL),
        *((name, POINTER(c_int32)) for name in ("slots", "listed", "ages")),
        ("parts", _BOOL),
        *((name, POINTER(c_double)) for name in ("scores", "by_age")),
        *((name, POINTER(c_int32)) for name in ("best", "first_items", "first_ages", "chosen")),
        ("first_scores", POINTER(c_float)),
    )

    @classmethod
    def of(
        cls,
        indexes: Sequence[CompiledIndex],
        parameters: Parameters,
        by_distance: npt.NDArray[np.float32],
        popular: tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]],
        hidden: npt.NDArray[np.bool_] | None,
    ) -> "CompiledScorer":
        items, window = max(index.items for index in indexes), parameters.window
        most_rules = window * max(_longest(index.kept["rule_starts"]) for index in indexes)
        most_found = max(len(index.kept["found"]) for index in indexes)
        scorer = cls(
            indexes=len(indexes),
            items=items,
            neighbours=parameters.neighbours,
            window=window,
            farthest=parameters.session_length,
            second_sources=parameters.second_sources,
            popular_count=len(popular[0]),
            rules=parameters.rules,
            second_step=parameters.second_step,
            repeats=np.array([parameters.repeat * parameters.item_decay**age for age in range(window)], np.float32),
            by_distance=by_distance,
            popular_items=popular[0],
            popular_scores=popular[1],
            hidden=hidden,
            slots=np.full(items, -1, np.int32),
            parts=np.empty(items, np.uint8),
            **{name: np.empty(items, np.int32) for name in ("listed", "ages")},
            scores=np.empty(items),
            by_age=np.empty(items * window),
            best=np.empty(max(items, parameters.neighbours), np.int32),
            first_scores=np.empty(max(most_rules, most_found), np.float32),
            **{name: np.empty(most_rules, np.int32) for name in ("first_items", "first_ages")},
            chosen=np.empty(parameters.second_sources, np.int32),
        )
        scorer.reached = (POINTER(CompiledIndex) * len(indexes))(*map(ctypes.pointer, indexes))
        return scorer

    def recommend(
        self, own: Sequence[int], shares: Sequence[float], apart: int, count: int
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Items, scores and ages, see ``scoring.Answer`` and ``scoring.Votes``; ``own``: as many as the window at most."""
        owned = len(own)
        items, scores, ages = np.empty(count, np.int32), np.empty(count, np.float32), np.empty(count, np.int32)
        asked = (c_int32 * owned)(*own), (c_float * owned)(*shares), owned, apart, count
        told = (items.ctypes.data, scores.ctypes.data, ages.ctypes.data)
        listed = _LIBRARY.recommend(ctypes.byref(self), self.reached, *asked, *told)
        return items[:listed], scores[:listed], ages[:listed]


#: None where it was not compiled. The interpreter's lock is kept: a call is shorter than a change of threads.
_LIBRARY: Any = ctypes.PyDLL(str(LIBRARY)) if LIBRARY.exists() else None
if _LIBRARY is not None:
    _LIBRARY.recommend.restype = c_int64
    _LIBRARY.recommend.argtypes = (
        *(ctypes.c_void_p,) * 4,
        *(c_int64,) * 3,
        *(ctypes.c_void_p,) * 3,
    )
AVAILABLE = _LIBRARY is not None
