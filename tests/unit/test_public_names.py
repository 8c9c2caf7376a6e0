"""What others may import: exported on purpose, pinned here, and described in the reference.

A name that goes, or another meaning, is a new major version: docs/reference/public-api.md.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "public-api.md"
#: Names may be added; one that is taken away fails here.
PUBLIC: dict[str, str] = {
    "clickstream.answers": ("DAY HOUR MINUTE Application Count Distinct Files Max Messages Min Quantiles Sum Table Top User"),
    "clickstream.application": ("Application Clients Fold Inheritance Position Settings Sink Wiring guarded_put"),
    "clickstream.envelope": (
        "AddToCart BUILT_IN Context Currency DeviceKind EARLIEST_MS Event Item KEY_PATTERN Key LATEST_MS Login MAX_AHEAD_MS "
        "MOST_EVENT_BYTES MOST_KEY_BYTES Millis Money NO_CONTEXT Name PageView ProductView Purchase Quantity RemoveFromCart "
        "SCHEMA_VERSION Search Text Version"
    ),
    "clickstream.testing": "BrokenLaw World check upcasts",
    "clickstream.needs": "Access Alarm Bucket Grant Needs Queue Resource Table Topic",
}


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_there_and_exported(module: str) -> None:
    found = import_module(module)
    assert set(PUBLIC[module].split()) - set(found.__all__) == set(), "taken away"
    assert set(found.__all__) - set(PUBLIC[module].split()) == set(), "new: pin it above, and describe it"
    assert [name for name in found.__all__ if not hasattr(found, name)] == []


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_described(module: str) -> None:
    (section,) = re.findall(rf"^## `{re.escape(module)}`\n(.*?)(?=^## |\Z)", _PAGE.read_text(), re.MULTILINE | re.DOTALL)
    described = {name for row in re.findall(r"^\| (.+?) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)", row)}
    assert set(PUBLIC[module].split()) == described
