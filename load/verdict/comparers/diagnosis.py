"""Analytics beside the truth, with the fault named: lost, counted twice, in a wrong window, or of swapped visitors. Pure.

A sum that is too small says that events are missing, one that is too large that some counted twice. When every count is right
and the funnel is not, then the events are there but their visitors are not who they should be: only a session's own steps in
their order make a funnel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clickstream.load.verdict.comparers.aggregates import Totals, Truth, Window, differences
from clickstream.load.verdict.comparers.compared import Compared, some

_SHOWN = 20
_NARROWEST = "minute"


#: Why something is left out.
_FOREIGN = "windows that may hold events of others: some that have left the stream, that are too many, or came meanwhile"
_UNCLEAR = "funnels, since {} pause for an hour of their shard's events or last for a day: longer than one is followed"


def compare(truth: Truth, answered: Mapping[Window, Totals]) -> Compared:
    """What is not known of the truth is left out."""
    expected, left_out = truth.windows, truth.foreign
    found = differences(expected, answered, foreign=left_out)
    compared = Compared(compared=len(expected.keys() - left_out), wrong=len(found))
    unclear = sum(totals.funnel is None for window, totals in expected.items() if window not in left_out)
    counts = {
        _FOREIGN: len(expected.keys() & left_out),
        _UNCLEAR.format(f"{truth.not_followed:,} sessions" if truth.not_followed else "sessions"): unclear,
    }
    compared.left_out = {why: count for why, count in counts.items() if count}
    if not found:
        return compared
    narrow = {window for window in expected.keys() | answered.keys() if window.granularity == _NARROWEST} - left_out
    missing, extra = _missing_and_extra(narrow, expected, answered)
    compared.lost, compared.duplicated = sum(missing.values()), sum(extra.values())
    compared.problems = [*_named(missing, extra), *_mixed_up(narrow, expected, answered)]
    compared.problems += [str(difference) for difference in found[:_SHOWN]]
    return compared


Place = tuple[Window, str]
"""A window and an event type."""


def _missing_and_extra(
    windows: Iterable[Window], expected: Mapping[Window, Totals], answered: Mapping[Window, Totals]
) -> tuple[dict[Place, int], dict[Place, int]]:
    missing: dict[Place, int] = {}
    extra: dict[Place, int] = {}
    for window in sorted(windows):
        must, has = expected.get(window, _NOTHING).events, answered.get(window, _NOTHING).events
        for kind in sorted(must.keys() | has.keys()):
            too_few = must.get(kind, 0) - has.get(kind, 0)
            if too_few > 0:
                missing[window, kind] = too_few
            elif too_few < 0:
                extra[window, kind] = -too_few
    return missing, extra


def _named(missing: Mapping[Place, int], extra: Mapping[Place, int]) -> Iterable[str]:
    if missing:
        yield f"analytics lost {_events(sum(missing.values()))}: {_told(missing)}"
    if extra:
        yield f"analytics counted {_events(sum(extra.values()))} more often than once: {_told(extra)}"
    if missing and extra and _by_kind(missing) == _by_kind(extra):
        yield "analytics counted as many events of each type as were sent: some are in another window than their own"


def _mixed_up(windows: Iterable[Window], expected: Mapping[Window, Totals], answered: Mapping[Window, Totals]) -> Iterable[str]:
    """Windows whose counts are all right and whose funnel is not."""
    places: list[str] = []
    sessions = 0
    for window in sorted(windows):
        must, has = expected.get(window, _NOTHING), answered.get(window, _NOTHING)
        if not must.funnel or not has.funnel:
            continue
        if must.funnel != has.funnel and must.events == {kind: count for kind, count in has.events.items() if count}:
            places.append(f"{window} {must.funnel} became {has.funnel}")
            sessions += sum(abs(one - other) for one, other in zip(must.funnel, has.funnel, strict=True))
    if places:
        yield (
            f"analytics swapped visitors: every event is counted, but {sessions} steps of sessions are not their own visitor's "
            f"(funnel, view/cart/purchase): {some(places)}"
        )


def _by_kind(places: Mapping[Place, int]) -> dict[str, int]:
    total: dict[str, int] = {}
    for (_, kind), count in places.items():
        total[kind] = total.get(kind, 0) + count
    return total


def _told(places: Mapping[Place, int]) -> str:
    return some([f"{count} {kind} in {window}" for (window, kind), count in places.items()])


def _events(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'}"


_NOTHING = Totals()
