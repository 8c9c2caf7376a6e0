"""Whole programs that begin with a shop's declarations: each reads them once, so each is a process of its own here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clickstream.settings import Settings, environment, events_folder, from_env
from tests.unit.own_events.shop import CAMPAIGN, WISH, declare, event

ROOT = Path(__file__).parents[3]
BUILT_IN = ("page_view", "product_view", "search", "add_to_cart", "remove_from_cart", "purchase", "login")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return declare(tmp_path / "events", wish_v1=WISH, **{f"{name}_v1": CAMPAIGN for name in BUILT_IN})


def _run(folder: Path | None, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    declared = {} if folder is None else {"CLICKSTREAM_EVENTS": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**os.environ, **declared},
        input=given,
        capture_output=True,
        check=False,
        timeout=300,
        cwd=ROOT,
    )


def test_our_applications_answer_the_same_with_added_properties(folder: Path) -> None:
    without, added = (json.loads(_run(each, "tests.unit.own_events.answers_of").stdout) for each in (None, folder))
    assert without["types"] == ["clickstream.envelope"]
    assert added["types"] == ["clickstream.schemas.declared"]
    assert added["said"] == without["said"]
    assert all(effects for effects, _ in without["said"].values())


def test_produce_takes_own_events_and_reports_what_is_none(folder: Path) -> None:
    lines = [
        event("wish", product_id="p-1"),
        event("page_view", campaign="spring", occurred_at=None, colour="red"),
        event("wish", product_id="p-1", size="xxl"),
        event("wihs"),
    ]
    done = _run(folder, "clickstream.cli", "produce", "-", "--dry-run", given=b"\n".join(lines))
    assert done.returncode == 3
    said = done.stderr.decode().splitlines()
    assert said[0] == "line 3: not one of the values that are known here at $.size"
    assert said[1] == f"line 4: not one of the values that are known here: {', '.join((*BUILT_IN, 'wish'))} at $.type"
    assert said[2].startswith("4 lines: 2 valid, 2 rejected")
    assert said[3] == "would be given: occurred_at (1); the same lines put again get others"
    assert said[4] == "not kept, since no type declares it: page_view $.colour (1)"


def test_the_collector_names_every_fault_of_an_own_event(folder: Path) -> None:
    done = _run(folder, "tests.unit.own_events.at_the_door")
    assert json.loads(done.stdout) == {
        "taken": {"product_id": "p-1", "note": "blå", "campaign": None, "type_version": 1},
        "added": {"product_id": None, "note": None, "campaign": "spring", "type_version": 1},
        "faults": [
            ["$.note", "Expected `str` of length <= 20"],
            ["$.others", "Expected `array`, got `str`"],
            ["$.at.shelf", "Expected `int` >= 1"],
        ],
        "unknown": [["$.type", f"not one of the values that are known here: {', '.join((*BUILT_IN, 'wish'))}"]],
        "document": ["campaign", "note"],
        "not_kept": ["$.at.row", "$.colour"],
    }


def test_a_child_reads_the_same_declarations_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = from_env({"CLICKSTREAM_EVENTS": "events"})
    child = environment(settings, {"CLICKSTREAM_EVENTS": "events"})
    assert child["CLICKSTREAM_EVENTS"] == str(tmp_path / "events")
    assert events_folder(child) == tmp_path / "events"
    assert events_folder({}) is None
    assert "CLICKSTREAM_EVENTS" not in environment(Settings(), {})
