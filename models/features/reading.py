"""What a window of a history says: the features of one track, as of one row. Pure."""

from bisect import bisect_right
from collections.abc import Mapping

from clickstream.models.features.history import Value, number, numbers
from clickstream.models.features.plans import TrackPlan

Row = Mapping[str, Value]


class Numbers(dict[str, float]):
    """A row's fields as numbers, each of them worked out once: its texts go into several tracks."""

    __slots__ = ("_row",)

    def __init__(self, row: Row) -> None:
        self._row = row

    def __missing__(self, field: str) -> float:
        value = self[field] = number(self._row.get(field))
        return value


NO_NUMBERS = Numbers({})


def read(
    plan: TrackPlan, history: bytes, cutoff_ms: int, time_ms: int, row: Numbers, observed: bool, vector: list[float]
) -> None:
    """Fill in the features of one track, as of a row at ``time_ms``; what is as old as ``cutoff_ms`` has expired.

    A row that is ``observed`` in the track is in its history: the latest in its windows without delay.
    """
    # what has expired is not seen, whether or not it was swept; a row that came so late sees itself alone
    if observed and (len(history) == plan.layout.size or cutoff_ms >= time_ms):
        _read_alone(plan, row, vector)
        return
    flat, size = numbers(history), 1 + plan.width
    times = flat if size == 1 else flat[::size]
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
                values = [value for value in flat[start * size + 1 + column : stop * size : size] if value == value]
                known_columns[column] = (start, stop, values)
            if not values:
                continue
            for place, reduce in of_all:
                vector[place] = reduce(values)
            if of_own and (own := row[field]) == own:
                earlier = values[:-1] if holds_own else values
                for place, compare in of_own:
                    if earlier and (value := compare(earlier, own)) is not None:
                        vector[place] = value


def _read_alone(plan: TrackPlan, row: Numbers, vector: list[float]) -> None:
    """As of a row that is the only one in its history: most users buy once a week."""
    counts, columns = plan.alone
    for place in counts:
        vector[place] = 1.0
    for field, values, presences in columns:
        own = row[field]
        if own == own:
            for place in values:
                vector[place] = own + 0.0  # no negative zero, as no sum is
            for place in presences:
                vector[place] = 1.0
