"""What a window of a history says: the features of one track, as of one row. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping

from models.features.history import History, Value, number
from models.features.plans import TrackPlan

Row = Mapping[str, Value]


def read(
    plan: TrackPlan, history: History, cutoff_ms: int, time_ms: int, row: Row, observed: bool, vector: list[float]
) -> None:
    """Fill in the features of one track, as of a row at ``time_ms``; what is as old as ``cutoff_ms`` has expired.

    A row that is ``observed`` in the track is the latest in its windows without delay.
    """
    times, width = history.times, plan.width
    # what has expired is not seen, whether or not it was swept; the row itself, just inserted, always is
    if observed and cutoff_ms >= time_ms:
        cutoff_ms = time_ms - 1
    last_ms = times[-1]
    known_columns: dict[int, tuple[int, int, list[float]]] = {}
    for window_ms, delay_ms, counts, sinces, columns in plan.spans:
        to_ms = time_ms - delay_ms
        start = bisect_right(times, max(to_ms - window_ms, cutoff_ms))
        stop = len(times) if to_ms >= last_ms else bisect_right(times, to_ms)
        if start >= stop:
            continue
        for place in counts:
            vector[place] = float(stop - start)
        holds_own = observed and not delay_ms
        if sinces and (before := stop - 1 - holds_own) >= start:
            for place in sinces:
                vector[place] = (time_ms - times[before]) / 1000
        for column, field, of_all, of_own in columns:
            # windows of different length often hold the same
            known = known_columns.get(column)
            if known is not None and known[0] == start and known[1] == stop:
                values = known[2]
            else:
                values = history.column(column, width, start, stop)
                known_columns[column] = (start, stop, values)
            if not values:
                continue
            for place, reduce in of_all:
                vector[place] = reduce(values)
            if of_own and not math.isnan(own := number(row.get(field))):
                earlier = values[:-1] if holds_own else values
                for place, compare in of_own:
                    if earlier and (value := compare(earlier, own)) is not None:
                        vector[place] = value
