"""A shop's declarations, and the events as they are where those stand: a fresh module, which reads them at its import."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from clickstream import events

ENVELOPE: dict[str, Any] = {"event_id": "e-1", "user_id": "u-1", "session_id": "s-1", "occurred_at": 1_764_000_000_000}
WISH: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A visitor wishes for a product.",
    "type": "object",
    "properties": {
        "product_id": {"type": "string", "format": "id"},
        "note": {"type": "string", "maxLength": 20, "default": "", "description": "in the visitor's own words"},
        "size": {"enum": ["s", "m"]},
        "gift": {"type": ["boolean", "null"], "default": None},
        "others": {"type": "array", "items": {"type": "string", "format": "id"}, "maxItems": 3, "default": []},
        "at": {
            "type": "object",
            "properties": {"shelf": {"type": "integer", "minimum": 1}, "maker_id": {"type": "string", "format": "id"}},
            "required": ["shelf"],
        },
    },
    "required": ["product_id"],
}
CAMPAIGN: dict[str, Any] = {"properties": {"campaign": {"type": "string", "maxLength": 64, "default": ""}}}


def declare(folder: Path, **schemas: object) -> Path:
    """``wish_v1={…}`` as wish.v1.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas.items():
        kind, _, version = name.rpartition("_")
        text = schema if isinstance(schema, str) else json.dumps(schema)
        (folder / f"{kind}.{version}.json").write_text(text)
    return folder


def events_with(folder: Path | str) -> ModuleType:
    """``clickstream.events`` as a program has it that begins with this folder."""
    spec = importlib.util.spec_from_file_location("events_of_a_shop", events.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(os.environ, {"CLICKSTREAM_EVENTS": str(folder)}):
        spec.loader.exec_module(module)
    return module


def event(kind: str, **fields: object) -> bytes:
    return json.dumps({"type": kind, **ENVELOPE, **fields}).encode()
