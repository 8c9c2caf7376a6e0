"""A short hostile shop: five applications and the collector, exact, with nobody ended. The long one is the module's command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.drills.hostile import show

#: Fourteen processes share the cores with whatever else runs there.
pytestmark = [pytest.mark.integration, pytest.mark.java, pytest.mark.timeout(600)]


def test_hostile_clients_change_nothing_for_good_visitors(tmp_path: Path) -> None:
    shown = show(tmp_path / "hostile", duration_s=15, rate=250, stall_s=60)
    report = shown["report"]
    assert report["problems"] == []
    assert shown["verified"]
    assert shown["ended"] == []
    assert report["applications"].keys() == {"analytics", "fraud", "recommendations", "archive", "orders"}
    compared = {name: part["compared"] for name, part in report["applications"].items()}
    assert compared["archive"] == shown["sent"]["events"], compared
    # windows of time, visitors, and purchases: some 40 of 2,000 events
    least = {"analytics": 5, "fraud": 10, "recommendations": 100, "archive": 1_000, "orders": 10}
    assert {name for name, figure in compared.items() if figure < least[name]} == set(), compared
    assert report["letters"]["letters"] > 5 * 1_100, "a flood, for each application"
