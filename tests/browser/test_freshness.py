"""From the write of an effect to its sight on a page, over the embedded AWS and the command as people start it.

The figures go to build/freshness.json; docs/reference/dashboard.md tells those of a quiet machine.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from clickstream.aws import Clients
from clickstream.consumers.analytics.wiring import APPLICATION as ANALYTICS
from clickstream.consumers.fraud.needs import OUTCOMES
from clickstream.consumers.fraud.tables import OutcomesTable
from clickstream.consumers.recommendations import table_items
from clickstream.consumers.recommendations.needs import OFFERS
from clickstream.consumers.recommendations.views import HitRate
from clickstream.consumers.runtime.state.snapshots import Commit, Progress, SnapshotStore
from clickstream.records.position import Position
from clickstream.settings import Settings
from tests.browser.serving_process import Serving, serving
from tests.unit.serving.desk import decision_at
from tests.unit.serving.stores import visits

pytestmark = [pytest.mark.browser, pytest.mark.integration]

SHARD = "shardId-000000000000"
TIMES = 8
#: What the issue asks for; the median is held to it here, since a busy machine delays single pictures.
AT_MOST_S = 1.0

#: Resolves to the moment (ms) at which the element's digits say this number.
SEEN = """([selector, wanted]) => new Promise((resolve) => {
  const says = () => document.querySelector(selector)?.textContent.replace(/\\D/g, "") === wanted;
  const look = () => { if (says()) { observer.disconnect(); resolve(Date.now()); } };
  const observer = new MutationObserver(look);
  observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  look();
})"""


class Effects:
    """Writes as the workers do, with their own sinks."""

    def __init__(self, settings: Settings) -> None:
        self._clients, self._settings = Clients(settings), settings
        self._fold = ANALYTICS.open_fold(SHARD)
        self._sink = ANALYTICS.open_sink(SHARD, self._clients, settings)
        self._store = SnapshotStore("analytics", "worker-0", self._clients, settings)
        self._lease = self._store.take(SHARD, _now())
        self._decisions = OutcomesTable(self._clients.dynamodb, OUTCOMES.of(settings))
        self._events = self._folded = self._alarms = self._clicks = 0

    def visit(self) -> int:
        """Five more events."""
        events = visits(self._events, _now() - 60_000)
        self._fold.apply(events)
        self._folded += len(events)
        self._sink.write(self._fold.effects(flush=True), Position(self._folded))
        return self._folded

    def commit(self) -> int:
        """The shard's item says so many events."""
        self._events += 1
        progress = Progress(events=self._events, watermark_ms=_now() - 500, arrived_ms=_now())
        self._store.commit(
            self._lease, Commit(position=Position(self._events), state=b"", full=True, progress=progress), _now()
        )
        return self._events

    def alarm(self) -> int:
        """One more purchase blocked."""
        self._alarms += 1
        self._decisions.write([decision_at(8 * self._alarms, decided_at=_now())])
        return self._alarms

    def click(self) -> int:
        """One more click counted."""
        self._clicks += 1
        rate = HitRate(clicks=self._clicks, hits=self._clicks)
        self._clients.dynamodb.put_item(
            TableName=OFFERS.of(self._settings),
            Item={
                "subject": {"S": table_items.HIT_RATE},
                "part": {"S": SHARD},
                **{name: {"N": str(value)} for name, value in msgspec.structs.asdict(rate).items()},
            },
        )
        return self._clicks


def _now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def server(provisioned: Settings) -> Iterator[Serving]:
    with serving(provisioned) as running:
        yield running


def test_every_page_shows_an_effect_within_a_second_of_its_write(
    chromium: Browser, server: Serving, provisioned: Settings
) -> None:
    effects = Effects(provisioned)
    effects.commit()
    pages: dict[str, tuple[str, str, Callable[[], int]]] = {
        "now": ("/", "#events", effects.visit),
        "fraud": ("/fraud", "#block", effects.alarm),
        "recommendations": ("/recommendations", "#clicks", effects.click),
        "pipeline": ("/pipeline", "#applications td:last-child", effects.commit),
    }
    told: dict[str, dict[str, float]] = {}
    for name, (path, selector, write) in pages.items():
        context = chromium.new_context(locale="en-GB")
        page = context.new_page()
        page.goto(server.url + path)
        expect(page.locator("#state-word")).to_have_text(re.compile("Live|Stale|Waiting"))
        waits = [_wait(page, selector, write) for _ in range(TIMES)]
        context.close()
        told[name] = {"median_s": statistics.median(waits), "most_s": max(waits), "times": TIMES}
    Path("build").mkdir(exist_ok=True)
    Path("build/freshness.json").write_bytes(msgspec.json.format(msgspec.json.encode(told)))
    assert {name: figures for name, figures in told.items() if figures["median_s"] > AT_MOST_S} == {}


def _wait(page: Page, selector: str, write: Callable[[], int]) -> float:
    """Seconds from the end of the write."""
    wanted = write()
    written = time.time()
    seen_ms: float = page.evaluate(SEEN, [selector, str(wanted)])  # the test's time-out is its deadline
    return max(0.0, seen_ms / 1000 - written)
