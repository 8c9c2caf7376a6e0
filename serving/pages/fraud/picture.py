"""The page Fraud: what was decided in the last hour, the alarms, how right they were, and which model serves."""

import msgspec

from clickstream.consumers.fraud.views import NAME, DecidedMinute, Decisions, Pointer
from clickstream.serving.api.fraud import MINUTE_MS, Decided, decided
from clickstream.serving.progress import Reading

MINUTES = 60
#: A minute is one item per decision: the running minute and the one before are read each time, all of them now and then.
ALL_MS = 10_000
#: The registry stands on S3, and a promotion is rare.
MODEL_MS = 5_000


class Shown(msgspec.Struct, frozen=True):
    model: Pointer | None
    decided: Decided
    newest: str | None
    """The latest alarm; the list of them is asked for when it is another one."""


class Fraud:
    """See ``clickstream.serving.pages.picture.Picture``."""

    applications = (NAME,)

    def __init__(self, risk: Decisions) -> None:
        self._risk = risk
        self._minutes: dict[int, DecidedMinute] = {}
        self._model: Pointer | None = None
        #: By the monotonic clock.
        self._all_read_at: int | None = None
        self._model_read_at: int | None = None

    def read(self, seen: Reading) -> Shown:
        end = (seen.read_at // MINUTE_MS + 1) * MINUTE_MS
        first = end - MINUTES * MINUTE_MS
        is_whole = _is_due(self._all_read_at, ALL_MS, seen)
        start = first if is_whole else end - 2 * MINUTE_MS
        read = self._risk.minutes(start, end)
        newest = next((alarm.key for alarm in self._risk.alerts(most=1)), None)
        if _is_due(self._model_read_at, MODEL_MS, seen):
            self._model, self._model_read_at = self._risk.serving(), seen.ticks_ms
        kept = {at: minute for at, minute in self._minutes.items() if first <= at < start}
        self._minutes = kept | {minute.start_ms: minute for minute in read}
        if is_whole:
            self._all_read_at = seen.ticks_ms
        return Shown(self._model, decided([self._minutes[at] for at in sorted(self._minutes)], first, end), newest)


def _is_due(read_at: int | None, every_ms: int, seen: Reading) -> bool:
    return read_at is None or seen.ticks_ms - read_at >= every_ms
