"""``clickstream schema`` over a shop's own types: what was promised to its producers is kept, or told by name."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clickstream.schemas import published
from tests.unit.own_events.shop import CAMPAIGN, WISH, declare, events_with


def _schemas(folder: Path, **schemas: object) -> dict[str, Any]:
    own = events_with(declare(folder, **schemas))
    found: dict[str, Any] = json.loads(json.dumps(published.own(own.DECLARED.values())))
    return found


def _changed(**properties: object) -> dict[str, Any]:
    """The wish with these properties; None takes one out."""
    changed = copy.deepcopy(WISH)
    changed["properties"] |= properties
    changed["properties"] = {name: each for name, each in changed["properties"].items() if each is not None}
    return changed


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (WISH, []),
        (_changed(colour={"type": "string"}), []),
        (_changed(note={"type": "string"}), []),
        (_changed(size={"enum": ["s", "m", "l"]}), []),
        (_changed(note={"type": "string", "format": "id"}), ["wish.note changed its type"]),
        (_changed(size={"type": ["string", "null"]}), ["wish.size changed its type"]),
        (_changed(note={"type": ["string", "null"], "maxLength": 20}), []),
        (_changed(others={"type": "array", "items": {"type": "string", "format": "id"}, "maxItems": 9}), []),
        (_changed(note=None), ["wish.note was removed"]),
        (_changed(note={"type": "integer"}), ["wish.note changed its type"]),
        (_changed(note={"type": "string", "maxLength": 5}), ["wish.note has a tighter maxLength"]),
        (_changed(size={"enum": ["s"]}), ["wish.size takes fewer values"]),
        (_changed(gift={"type": "boolean"}), ["wish.gift changed its type"]),
        (_changed(others={"type": "array", "items": {"type": "integer"}}), ["wish.others in its items changed its type"]),
        ({**WISH, "required": ["product_id", "note"]}, ["wish.note is newly required"]),
        (
            _changed(at={"type": "object", "properties": {"shelf": {"type": "integer", "minimum": 5}}}),
            ["wish.at.maker_id was removed", "wish.at.shelf has a tighter minimum"],
        ),
    ],
)
def test_within_a_version_nothing_that_was_sent_is_refused(tmp_path: Path, now: object, expected: list[str]) -> None:
    before = _schemas(tmp_path / "before", wish_v1=WISH)
    after = events_with(declare(tmp_path / "after", wish_v1=now))
    changes = published.own_breaking_changes(before, [*after.DECLARED.values()])
    assert sorted(changes) == [f"wish.v1: {each}" for each in expected]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (WISH, []),
        (_changed(note=None, at=None), []),
        ({**_changed(rank={"type": "integer", "default": 1}), "required": ["product_id", "rank"]}, []),
        ({**_changed(rank={"type": "integer"}), "required": ["product_id", "rank"]}, ["wish.rank is newly required"]),
        # every older event may lack it, and it is not new: nothing is filled in
        ({**WISH, "required": ["product_id", "note"]}, ["wish.note is newly required"]),
        (_changed(note={"type": "integer"}), ["wish.note changed its type"]),
    ],
)
def test_an_older_event_has_what_the_next_version_asks_for(tmp_path: Path, second: object, expected: list[str]) -> None:
    own = events_with(declare(tmp_path, wish_v1=WISH, wish_v2=second))
    assert published.own_breaking_changes({}, [*own.DECLARED.values()]) == [f"wish.v2: {each}" for each in expected]


def test_a_version_or_a_type_that_was_promised_does_not_go(tmp_path: Path) -> None:
    before = _schemas(tmp_path / "before", wish_v1=WISH, wish_v2=WISH, page_view_v1=CAMPAIGN)
    assert sorted(before) == ["page_view.v1", "wish.v1", "wish.v2"]
    after = events_with(declare(tmp_path / "after", wish_v2=WISH))
    assert sorted(published.own_breaking_changes(before, [*after.DECLARED.values()])) == [
        "page_view.v1 was removed",
        "wish.v1 was removed",
    ]


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clickstream.cli", *arguments],
        env={**os.environ, "CLICKSTREAM_EVENTS": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_check_wants_what_is_published_and_says_what_broke(tmp_path: Path) -> None:
    folder = declare(tmp_path, wish_v1=WISH, page_view_v1=CAMPAIGN)
    missing = _run(folder, "schema", "check")
    assert missing.returncode == 1
    assert f"clickstream schema show --own > {folder / 'published.json'}" in missing.stderr
    shown = _run(folder, "schema", "show", "--own")
    (folder / "published.json").write_text(shown.stdout)
    agreed = _run(folder, "schema", "check")
    assert (agreed.returncode, agreed.stdout) == (0, "")
    assert "2 declared types" in agreed.stderr
    declare(folder, wish_v1=_changed(colour={"type": "string"}))
    assert "is behind what is declared" in _run(folder, "schema", "check").stderr
    declare(folder, wish_v1=_changed(note=None))
    broken = _run(folder, "schema", "check")
    assert broken.returncode == 1
    assert broken.stderr.splitlines()[-2:] == [
        "clickstream: breaking: wish.v1: wish.note was removed",
        "hint: declare it as the type's next version, TYPE.vN.json",
    ]
    for hostile in ("[]", "{", '{"wish.v1": {}}', '{"wish.v1": 5}', '{"wish.vx": {}}'):
        (folder / "published.json").write_text(hostile)
        refused = _run(folder, "schema", "check")
        assert refused.returncode == 1
        assert len(refused.stderr.splitlines()) == 3


def test_check_of_a_folder_leaves_out_what_is_declared_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = tmp_path / "site" / "a_shop-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: a_shop\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[clickstream.events]\na_shop = a_shop_of_structs\n")
    source = "from clickstream.envelope import Event\nclass Like(Event, frozen=True, tag='like'): ...\nEVENTS = (Like,)\n"
    (tmp_path / "site" / "a_shop_of_structs.py").write_text(source)
    folder = declare(tmp_path / "events", wish_v1=WISH)
    (folder / "published.json").write_text(json.dumps(_schemas(folder, wish_v1=WISH)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=os.pathsep)
    assert _run(folder, "schema", "check").returncode == 0
    (folder / "published.json").write_text(_run(folder, "schema", "show", "--own").stdout)
    assert _run(folder, "schema", "check").returncode == 0


def test_show_prints_all_types_and_a_mistake_is_one_line(tmp_path: Path) -> None:
    shown = json.loads(_run(declare(tmp_path, wish_v1=WISH, page_view_v1=CAMPAIGN), "schema", "show").stdout)
    assert {"Login", "PageView", "wish", "wish.at"} < shown["$defs"].keys()
    assert shown["$defs"]["PageView"]["properties"].keys() > {"url", "campaign", "type_version"}
    assert shown["$defs"]["wish"]["properties"]["note"]["description"] == "in the visitor's own words"
    broken = _run(declare(tmp_path, wish_v1={"allOf": []}), "schema", "show")
    assert (broken.returncode, broken.stdout) == (1, "")
    assert broken.stderr.splitlines() == [
        f"clickstream: {tmp_path / 'wish.v1.json'}: $: not mapped: allOf",
        "hint: mapped are properties, required, type",
    ]
