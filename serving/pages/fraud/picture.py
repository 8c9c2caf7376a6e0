"""The page Fraud: what was decided in the last hour, the alarms, how right they were, and which model serves."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec

from consumers.fraud.views import Decision
from serving.api.fraud import Alert, Decided, MinuteView, Risk, Serving, alert, decided, serving
from serving.pages.picture import Head, head
from serving.progress import Fleet

MINUTE_MS = 60_000
MINUTES = 60
ALERTS = 25
#: A minute is one item per decision: the running minute and the one before are read each time, all of them now and then.
ALL_MS = 10_000
#: The registry stands on S3, and a promotion is rare.
MODEL_MS = 5_000


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    head: Head
    model: Serving | None
    decided: Decided
    alerts: list[Alert]


class Fraud:
    """See ``serving.pages.picture.Picture``."""

    def __init__(self, risk: Risk, fleet: Fleet, title: str) -> None:
        self._risk = risk
        self._fleet = fleet
        self._title = title
        self._seen = fleet.newest()
        self._minutes: dict[int, MinuteView] = {}
        self._alerts: Sequence[Decision] = ()
        self._model: Serving | None = None
        self._span = (0, 0)
        self._all_read_at = self._model_read_at = 0
        self._lock = threading.Lock()

    def read(self, now_ms: int) -> None:
        seen = self._fleet.read(now_ms)
        end = now_ms // MINUTE_MS * MINUTE_MS + MINUTE_MS
        first = end - MINUTES * MINUTE_MS
        whole = now_ms - self._all_read_at >= ALL_MS
        start = first if whole else end - 2 * MINUTE_MS
        read = self._risk.minutes(start, end)
        alerts = self._risk.alerts(most=ALERTS)
        if now_ms - self._model_read_at >= MODEL_MS:
            model = serving(self._risk.serving())
            with self._lock:
                self._model, self._model_read_at = model, now_ms
        with self._lock:
            kept = {at: minute for at, minute in self._minutes.items() if first <= at < start}
            self._minutes = kept | {minute.start_ms: minute for minute in read}
            self._alerts, self._seen, self._span = alerts, seen, (first, end)
            if whole:
                self._all_read_at = now_ms

    def picture(self, now_ms: int, problem: str | None = None) -> bytes:
        with self._lock:
            minutes = [self._minutes[at] for at in sorted(self._minutes)]
            alerts, model, span, seen = self._alerts, self._model, self._span, self._seen
        return msgspec.json.encode(
            Shown(
                head=head(self._title, seen, now_ms, problem),
                model=model,
                decided=decided(minutes, *span),
                alerts=[alert(decision) for decision in alerts],
            )
        )
