"""Up to when a shard has folded what arrived, known from the records' arrival times and from reads at the stream's tip. Pure.

Only Kinesis's clock counts; a machine's wall clock is never asked. A record that arrived at ``a`` and is here at the moment
``m`` of our monotonic clock proves that Kinesis's clock showed at least ``a`` then, and so does the Date of any answer of AWS.
"""

from clickstream.application import Held
from clickstream.progress.completeness import Arrival

#: AWS promises neither that its servers' clocks agree nor that arrival times on a shard never decrease; so far they may err.
CLOCKS_MS = 100
#: Two monotonic clocks drift apart by less than this share.
_DRIFT = 1e-4
#: KCL gives every shard a batch, be it empty, within 5 s. One that got none for so long (s) has no daemon any more.
_SERVED_S = 15.0
#: Being given batch after batch for less than this (ms) is no lag.
_BUSY_MS = 1_000


class Arrivals:
    """Moments are seconds of the process's monotonic clock. ``told``: what the shard's last owner has told."""

    def __init__(self, hash_range: str, told: Arrival) -> None:
        self._hash_range = hash_range
        self._arrived_to = self._shown_to = told.arrived_to
        self._whole_to = told.whole_to
        #: (Kinesis's clock in ms, ours in s): the former showed at least this at the latter.
        self._anchor: tuple[int, float] | None = None
        self._waited = True
        self._busy_since_s = 0.0
        self._quiet = 0
        self._deliveries_s: tuple[float, ...] = ()
        #: None until KCL has delivered a batch, empty or not: whoever has read nothing yet does not say that he caught up.
        self.behind_ms: int | None = None

    def heard(self, at_ms: int, now_s: float) -> None:
        """An AWS server's clock showed this at ``now_s`` or before."""
        if self._anchor is None or at_ms > self._server_ms(now_s):
            self._anchor = at_ms, now_s

    def served(self, now_s: float) -> bool:
        """Whether a daemon still reads for this shard; what is told without one would be a dead worker's word."""
        return bool(self._deliveries_s) and now_s - self._deliveries_s[-1] < _SERVED_S

    def waited(self) -> None:
        """Nothing has come for a moment: the daemon had nothing for us."""
        self._waited = True

    def folded(self, delivered_s: float, now_s: float, last_arrived_ms: int | None, behind_ms: int | None) -> None:
        """The batch delivered then is folded; its last record arrived at ``last_arrived_ms``, if it had any.

        ``behind_ms`` is Kinesis's word at the read, and the daemon reads ahead. An empty batch after a silence was not kept for
        long; of two in a row the second was read after the delivery of the batch before them, whatever a request takes.
        """
        if self._waited:
            self._busy_since_s = delivered_s
        self._quiet = self._quiet + 1 if self._waited and last_arrived_ms is None and behind_ms == 0 else 0
        self._waited = False
        self._deliveries_s = (*self._deliveries_s[-2:], delivered_s)
        self.behind_ms = behind_ms or 0
        if last_arrived_ms is not None:
            self.heard(last_arrived_ms, delivered_s)
            self._move(last_arrived_ms)
            busy_ms = min(int(1000 * (now_s - self._busy_since_s)), self._server_ms(now_s) - last_arrived_ms)
            self.behind_ms = max(self.behind_ms, busy_ms if busy_ms > _BUSY_MS else 0)
        elif self._quiet >= 2 and self._anchor is not None and len(self._deliveries_s) == 3:
            self._move(self._server_ms(self._deliveries_s[0]))

    def given(self, lacking: Held) -> None:
        """The effects of everything folded so far, but for what is ``lacking``, are visible before ``told`` is."""
        if lacking < Held.MINUTES:
            self._shown_to = self._arrived_to
        if lacking == Held.NOTHING:
            self._whole_to = self._arrived_to

    def told(self, lateness: str) -> Arrival:
        return Arrival(hash_range=self._hash_range, arrived_to=self._shown_to, whole_to=self._whole_to, lateness=lateness)

    def _move(self, to_ms: int) -> None:
        self._arrived_to = max(self._arrived_to, to_ms - CLOCKS_MS)

    def _server_ms(self, at_s: float) -> int:
        """What Kinesis's clock showed at least at that moment."""
        assert self._anchor is not None
        at_ms, anchored_s = self._anchor
        passed_s = at_s - anchored_s
        return int(at_ms + 1000 * (passed_s - abs(passed_s) * _DRIFT))
