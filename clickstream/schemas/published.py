"""JSON Schemas of the events: generated from the types, checked in, and guarded against breaking changes."""

import json
from collections.abc import Container, Iterable, Sequence
from importlib import resources
from itertools import pairwise
from typing import Any, Union

import msgspec

from clickstream.envelope import BUILT_IN, EARLIEST_MS, KEY_PATTERN, SCHEMA_VERSION, Event
from clickstream.schemas.declared import Declared, added
from clickstream.schemas.mapping import Schema

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def generate(types: Sequence[type[Event]] = BUILT_IN) -> Schema:
    """The JSON Schema (2020-12) of any event of these types."""
    return {"$schema": _DIALECT, **msgspec.json.schema(Union[tuple(types)])}  # noqa: UP007  # of a tuple


def rendered(schema: Schema) -> str:
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def own(declared: Iterable[Declared]) -> Schema:
    """Of what a shop declares: ``wish.v1`` → its JSON Schema, for each version that is still taken."""
    return {
        f"{each.name}.v{version}": {"$schema": _DIALECT, **msgspec.json.schema(kind)}
        for each in declared
        for version, kind in each.kinds.items()
    }


def own_breaking_changes(published: Schema, declared: Sequence[Declared]) -> list[str]:
    """What breaks a shop's producers, one sentence each: within a version, and from each version to the next."""
    now, by_name = own(declared), {each.name: each for each in declared}
    changes: list[str] = []
    for key, schema in published.items():
        name, _, version = key.rpartition(".v")
        if key in now:
            changes += [f"{key}: {change}" for change in breaking_changes(schema, now[key], excused=())]
        elif name not in by_name or by_name[name].schemas or int(version) > by_name[name].version:
            changes.append(f"{key} was removed")  # of a struct the latest version alone is there
    for each in declared:
        for (last, older), (number, newer) in pairwise(sorted(each.schemas.items())):
            new = added(older, newer)
            filled = {f"{each.kind.__name__}.{name}" for name in new if "default" in new[name]}
            key = f"{each.name}.v{number}"
            changes += [
                f"{key}: {change}" for change in breaking_changes(now[f"{each.name}.v{last}"], now[key], filled, excused=())
            ]
    return changes


def checked_in() -> str:
    """The schema file that is part of the source; empty when there is none for today's version."""
    file = resources.files("clickstream") / "schemas" / f"events-v{SCHEMA_VERSION}.json"
    return file.read_text() if file.is_file() else ""


def breaking_changes(
    old: Schema, new: Schema, filled: Container[str] | None = None, excused: Container[tuple[str, Any]] | None = None
) -> list[str]:
    """What a producer of ``old`` could send that a consumer of ``new`` would refuse, one sentence each.

    Within one schema version fields may only be added, with a default; nothing is removed, retyped or narrowed, but for what
    ``TIGHTENED`` gives a reason for. ``filled`` says that ``new`` is the next version of a shop's type: fields may
    go, and those may be required that the older events are given. ``excused`` stands for ``TIGHTENED``.
    """
    excused = TIGHTENED if excused is None else excused
    changes: list[str] = []
    for name, was in old["$defs"].items():
        if (now := new["$defs"].get(name)) is None:
            changes += [f"{name} was removed"] if filled is None else []
            continue
        for field, old_field in was.get("properties", {}).items():
            if field == _VERSION:
                continue
            if field not in now.get("properties", {}):
                changes += [f"{name}.{field} was removed"] if filled is None else []
            elif (narrowed := _narrowed(old_field, now["properties"][field], excused)) is not None:
                changes.append(f"{name}.{field} {narrowed}")
        changes += [
            f"{name}.{field} is newly required"
            for field in now.get("required", [])
            if field not in was.get("required", []) and field != _VERSION and f"{name}.{field}" not in (filled or ())
        ]
    return changes


#: The name of the file says it, and whoever says another is brought to it.
_VERSION = "type_version"
#: (keyword, its value) → why it was right to narrow a field to it within a version.
TIGHTENED: dict[tuple[str, Any], str] = {
    ("pattern", KEY_PATTERN): "an id with a control character broke the subjects of messages and could collide in joined keys",
    ("minimum", EARLIEST_MS): "an earlier time was seconds or an unset clock, and each hour was a file of the archive",
}
#: keyword → whether a larger value accepts more
_BOUNDS = {
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), True),
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), False),
}


def _narrowed(old: Schema, new: Schema, excused: Container[tuple[str, Any]]) -> str | None:
    if "anyOf" in old or "anyOf" in new:
        others = new.get("anyOf", [new])
        covered = all(any(_narrowed(each, other, excused) is None for other in others) for each in old.get("anyOf", [old]))
        return None if covered else "changed its type"
    if _type_of(old, excused) != _type_of(new, excused):
        return "changed its type"
    for inner in ("items", "additionalProperties"):
        if isinstance(old.get(inner), dict) and isinstance(new.get(inner), dict):
            if (narrowed := _narrowed(old[inner], new[inner], excused)) is not None:
                return f"in its {inner} {narrowed}"
        elif old.get(inner) != new.get(inner):
            return "changed its type"
    if ("enum" in old) != ("enum" in new) or not set(old.get("enum", ())) <= set(new.get("enum", ())):
        return "takes fewer values"
    for bound, larger_accepts_more in _BOUNDS.items():
        if bound not in new or (bound, new[bound]) in excused:
            continue
        if bound not in old or (new[bound] < old[bound] if larger_accepts_more else new[bound] > old[bound]):
            return f"has a tighter {bound}"
    return None


def _type_of(field: Schema, excused: Container[tuple[str, Any]]) -> Schema:
    """What must not change at all."""
    others = field.keys() - {*_BOUNDS, "default", "description", "items", "additionalProperties", "anyOf", "enum"}
    return {keyword: field[keyword] for keyword in others if (keyword, str(field[keyword])) not in excused}
