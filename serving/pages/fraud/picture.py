"""The page Fraud: what was decided in the last hour, the alarms, how right they were, and which model serves."""

import msgspec

from clickstream.consumers.fraud.views import NAME, Decisions, Pointer
from clickstream.serving.api.fraud import MINUTE_MS, Decided, decided
from clickstream.serving.progress import Reading

MINUTES = 60
#: The registry stands on S3, and a promotion is rare.
MODEL_MS = 5_000


class Shown(msgspec.Struct, frozen=True):
    model: Pointer | None
    decided: Decided
    newest: str | None
    """The latest alarm; the list of them is asked for when it is another one."""


class Fraud:
    """See ``clickstream.serving.pages.live.Picture``."""

    applications = (NAME,)

    def __init__(self, risk: Decisions) -> None:
        self._risk = risk
        self._model: Pointer | None = None
        self._model_read_at: int | None = None
        """By the monotonic clock."""

    def read(self, seen: Reading) -> Shown:
        end = (seen.read_at // MINUTE_MS + 1) * MINUTE_MS
        start = end - MINUTES * MINUTE_MS
        minutes = self._risk.minutes(start, end)
        newest = next((alarm.key for alarm in self._risk.alerts(most=1)), None)
        if self._model_read_at is None or seen.ticks_ms - self._model_read_at >= MODEL_MS:
            self._model, self._model_read_at = self._risk.serving(), seen.ticks_ms
        return Shown(self._model, decided(minutes, start, end), newest)
