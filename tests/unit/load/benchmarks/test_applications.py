"""The bill of an application, against numbers worked out by hand; and that the page has one of every application."""

from __future__ import annotations

from pathlib import Path

import pytest

from clickstream.consumers.needs import declared
from clickstream.load.benchmarks.folding.applications import RATES, Calls, table


def test_dollars_per_million_by_hand() -> None:
    calls = Calls(events=1_000, seconds=10, state_usd=0.00005, answers_usd=0.0006, write_units=900)
    assert calls.leases_usd == pytest.approx(10 * 1.55 * 0.625e-6)
    line = table([("recommendations", 100, calls)]).splitlines()[-1]
    assert line == "| recommendations | 100 | 0.900 | 0.6000 | 0.0500 | 0.0097 | **0.660** |"


def test_the_page_has_every_application_at_every_rate() -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "growth.md").read_text()
    for needs in declared():
        for rate in RATES if needs.wiring else ():
            assert f"| {needs.name} | {rate:,} |" in page
