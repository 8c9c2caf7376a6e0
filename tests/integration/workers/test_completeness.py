"""Events as an app that was offline, a partner's nightly file or a backfill sends them, through a real worker.

Two days of visitors, one visitor after the other. Whoever looks at the answers while the worker catches up, is killed or has
its stream split, must find in every window that is called complete every event that was acknowledged before he looked.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from clickstream.aws import Clients
from clickstream.consumers.analytics.views import Aggregates
from clickstream.events import ProductView
from clickstream.infra.local import resources
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.settings import Settings
from tests.integration.publisher.stream import split_first
from tests.integration.resharding.platform import DEADLINE_S, Platform

pytestmark = [pytest.mark.integration, pytest.mark.java]

VISITORS, VISITS = 160, 50
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
SPAN_MS = 2 * DAY
WIDTHS = {"minute": MINUTE, "hour": HOUR, "day": DAY}
#: Events that are put and acknowledged together.
CHUNK = 200


def sorted_by_visitor(end_ms: int, seed: int = 3) -> Iterator[ProductView]:
    """All events of one visitor, then all of the next; each comes on any minute of the two days until ``end_ms``."""
    random = Random(seed)
    for visitor in range(VISITORS):
        for number, age_ms in enumerate(sorted((random.randrange(SPAN_MS) for _ in range(VISITS)), reverse=True)):
            yield ProductView(
                event_id=f"{visitor}-{number}",
                user_id=f"visitor-{visitor}",
                session_id=f"{visitor}",
                occurred_at=end_ms - age_ms,
                product_id=f"p{number}",
            )


class Sending(threading.Thread):
    """Puts chunk after chunk, and knows at any time how many events were acknowledged."""

    def __init__(self, settings: Settings, events: list[ProductView]) -> None:
        super().__init__(daemon=True)
        self._settings, self._events = settings, events
        self.acknowledged = 0

    def run(self) -> None:
        with KinesisPublisher(self._settings) as publisher:
            for start in range(0, len(self._events), CHUNK):
                chunk = self._events[start : start + CHUNK]
                for event in chunk:
                    publisher.put(event)
                publisher.flush(30)
                self.acknowledged += len(chunk)
                time.sleep(0.06)  # a client's own pace, which lets the looks see the middle of it


@pytest.fixture
def platform(settings: Settings, tmp_path: Path) -> Platform:
    resources.create(Clients(settings), settings, shards=2)
    return Platform(settings, tmp_path)


class Looking:
    """Looks at the answers as a client of the API does, and judges them."""

    def __init__(self, platform: Platform, events: list[ProductView], sending: Sending) -> None:
        self._answers = Aggregates(platform.clients, platform.settings)
        self._events, self._sending = events, sending
        self.looks = self.complete = 0
        self.lateness_ms = 0
        self.lies: list[str] = []

    def look(self) -> None:
        put = self._events[: self._sending.acknowledged]
        seen = self._answers.completeness()
        self.looks += 1
        self.lateness_ms = max(self.lateness_ms, seen.lateness_ms)
        for name, width in WIDTHS.items():
            to_ms = seen.minutes_to if name == "minute" else seen.complete_to
            self._judge(name, width, to_ms, put)

    def _judge(self, name: str, width: int, to_ms: int | None, put: list[ProductView]) -> None:
        first = min((event.occurred_at for event in put), default=0) // width * width
        if to_ms is None or to_ms < first + width:
            return
        windows = self._answers.windows(name, first, to_ms // width * width, top=1)
        found = {window.start_ms: sum(window.counts.values()) for window in windows}
        truth = Counter(event.occurred_at // width * width for event in put)
        complete = {start: count for start, count in truth.items() if start + width <= to_ms}
        self.complete += len(complete)
        lacking = {start: count - found.get(start, 0) for start, count in complete.items() if found.get(start, 0) < count}
        if lacking:
            self.lies.append(
                f"look {self.looks}: {len(lacking)} of {len(complete)} {name}s lack {sum(lacking.values())} events"
            )


def test_no_window_is_called_complete_that_lacks_a_put_event(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    events = list(sorted_by_visitor(time.time_ns() // 1_000_000))
    sending = Sending(platform.settings, events)
    looking = Looking(platform, events, sending)

    def look_until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, platform.log.read_text()
            looking.look()
            time.sleep(0.25)

    def counted() -> int:
        return sum(shard.events for shard in platform.counted().values())

    with platform.worker():
        sending.start()
        look_until(lambda: sending.acknowledged >= len(events) // 4)
        split_first(platform.kinesis, platform.stream)
        look_until(lambda: sending.acknowledged >= len(events) // 2 and counted() > len(events) // 4)
    # killed with all its shards; another comes
    with platform.worker():
        look_until(lambda: not sending.is_alive() and counted() == len(events))
        all_put_ms = time.time_ns() // 1_000_000
        answers = Aggregates(platform.clients, platform.settings)

        def is_past_the_last_put() -> bool:
            seen = answers.completeness()
            return seen.complete_to is not None and seen.complete_to + seen.lateness_ms > all_put_ms

        look_until(is_past_the_last_put)
        past_s = time.time() - all_put_ms / 1000
    seen = answers.completeness()
    with capsys.disabled():
        sys.stderr.write(
            f"\n{len(events):,} events sorted by visitor: {looking.looks} looks, {looking.complete:,} windows called complete, "
            f"lies: {looking.lies or 'none'}; lateness {seen.lateness_ms / HOUR:.1f} h, late share {seen.late_share:.4%}; "
            f"complete {past_s:.1f} s after the last event was counted; {time.monotonic() - started:.0f} s\n"
        )
    assert looking.lies == []
    assert looking.looks > 20
    assert sending.acknowledged == len(events)
    # windows are held back for two days, and what the quantile admits is told
    assert 0.9 * SPAN_MS < seen.lateness_ms < 1.5 * SPAN_MS
    assert seen.late_share <= 0.001
