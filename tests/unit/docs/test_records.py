"""The page on records shows what is so: its bytes are a block, and its dollars follow from prices and sizes."""

from __future__ import annotations

import json
import re

from backports import zstd

from tests.unit.docs import record_costs

TEXT = record_costs.PAGE.read_text()


def test_the_bytes_on_the_page_are_the_events_on_the_page() -> None:
    dumped = re.findall(r"^[0-9a-f]{8} ((?: {1,2}[0-9a-f]{2})+)", TEXT, re.MULTILINE)
    block = bytes.fromhex("".join(dumped))
    (shown,) = re.findall(r"^```\n(\{.*?)```$", TEXT, re.MULTILINE | re.DOTALL)
    assert zstd.decompress(block).decode() == shown
    assert len(shown.splitlines()) == 3
    assert all(json.loads(line)["user_id"] == "u-7" for line in shown.splitlines())
    assert f"{len(shown)} bytes have become {len(block)}" in TEXT
    assert int.from_bytes(block[5:7], "little") + 256 == len(shown)


def test_the_costs_on_the_page_follow_from_prices_and_sizes() -> None:
    assert record_costs.refreshed(TEXT) == TEXT, "write it again: python -m tests.unit.docs.record_costs"


def test_a_million_single_events_by_hand() -> None:
    """A thousand seconds of a shard; a million payload units; a KB each put, and 348.8 bytes read three times."""
    single = next(line for line in record_costs.lines() if "one event a record" in line)
    provisioned, on_demand = (float(each) for each in re.findall(r"\*\*([\d.]+)\*\*", single))
    assert provisioned == round(1_000 / 3_600 * 0.015 + 0.014, 4)
    assert on_demand == round(1_024e6 / 1024**3 * 0.08 + 3 * 348.8e6 / 1024**3 * 0.04, 3)
