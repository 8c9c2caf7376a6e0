"""JSON Schemas of the events: generated from the types, checked in, and guarded against breaking changes."""

import json
from importlib import resources
from typing import Any

import click
import msgspec

from clickstream.errors import UserMistake
from clickstream.events import EARLIEST_MS, KEY_PATTERN, SCHEMA_VERSION, AnyEvent

Schema = dict[str, Any]


def generate() -> Schema:
    """The JSON Schema (2020-12) of any event of the latest version."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(AnyEvent)}


def rendered() -> str:
    return json.dumps(generate(), indent=2, sort_keys=True) + "\n"


def checked_in(version: int = SCHEMA_VERSION) -> str:
    """The schema file that is part of the source; empty when there is none for this version."""
    file = resources.files("clickstream") / "schemas" / f"events-v{version}.json"
    return file.read_text() if file.is_file() else ""


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What a producer of ``old`` could send that a consumer of ``new`` would refuse, one sentence each.

    Within one schema version fields may only be added, with a default; nothing is removed, retyped or narrowed, but for what
    ``TIGHTENED`` gives a reason for.
    """
    changes: list[str] = []
    old_types, new_types = old["$defs"], new["$defs"]
    for name, was in old_types.items():
        if name not in new_types:
            changes.append(f"{name} was removed")
            continue
        now = new_types[name]
        for field, old_field in was.get("properties", {}).items():
            if field not in now.get("properties", {}):
                changes.append(f"{name}.{field} was removed")
            elif (narrowed := _narrowed(old_field, now["properties"][field])) is not None:
                changes.append(f"{name}.{field} {narrowed}")
        changes += [
            f"{name}.{field} is newly required" for field in now.get("required", []) if field not in was.get("required", [])
        ]
    return changes


#: (keyword, its value) → why it was right to narrow a field to it within a version.
TIGHTENED: dict[tuple[str, Any], str] = {
    ("pattern", KEY_PATTERN): "an id with a control character broke the subjects of messages and could collide in joined keys",
    ("minimum", EARLIEST_MS): "an earlier time was seconds or an unset clock, and each hour was a file of the archive",
}
#: What says something to people alone.
_SAID = {"default", "description"}
#: keyword → whether a larger value accepts more
_BOUNDS = {"maximum": True, "maxLength": True, "maxItems": True, "minimum": False, "minLength": False, "minItems": False}


def _narrowed(old: Schema, new: Schema) -> str | None:
    if _type_of(old) != _type_of(new):
        return "changed its type"
    for bound, larger_accepts_more in _BOUNDS.items():
        if bound not in new or (bound, new[bound]) in TIGHTENED:
            continue
        if bound not in old or (new[bound] < old[bound] if larger_accepts_more else new[bound] > old[bound]):
            return f"has a tighter {bound}"
    return None


def _type_of(field: Schema) -> Schema:
    """What must not change at all."""
    return {
        keyword: value
        for keyword, value in field.items()
        if keyword not in _BOUNDS and keyword not in _SAID and (keyword, str(value)) not in TIGHTENED
    }


@click.group()
def schema() -> None:
    """The events' JSON Schemas."""


@schema.command(epilog="Example: clickstream schema show > clickstream/schemas/events-v2.json")
def show() -> None:
    """Print the JSON Schema of the latest version."""
    click.echo(rendered(), nl=False)


@schema.command(epilog="Example: clickstream schema check")
def check() -> None:
    """Compare the code's schema with the checked-in file; exit 1 on a difference, naming what would break."""
    old = checked_in()
    write_it = f"clickstream schema show > clickstream/schemas/events-v{SCHEMA_VERSION}.json"
    if not old:
        raise UserMistake(f"no schema file for version {SCHEMA_VERSION}", hint=write_it)
    if breaking := breaking_changes(json.loads(old), generate()):
        raise UserMistake(
            f"breaking: {'; '.join(breaking)}", hint="raise LATEST in clickstream/upcasting.py and add a step there"
        )
    if old != rendered():
        raise UserMistake("the checked-in schema is behind the code (compatibly)", hint=write_it)
    click.echo(f"schema version {SCHEMA_VERSION}: the code and the checked-in file agree", err=True)
