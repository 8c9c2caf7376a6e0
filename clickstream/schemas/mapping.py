"""A JSON Schema (2020-12) as the type that msgspec decodes. Pure.

A keyword that is not mapped is refused by name: one that were passed over would be a promise that nobody keeps.
"""

import json
import re
from collections.abc import Mapping
from functools import partial
from keyword import iskeyword
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from clickstream.envelope import Key, is_plain
from clickstream.errors import UserMistake

Schema = dict[str, Any]
Field = tuple[str, Any] | tuple[str, Any, Any]

_NUMBER = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt", "multipleOf": "multiple_of"}
#: type → the keywords that bound it, and msgspec's words for them
_BOUNDS = {
    "string": {"minLength": "min_length", "maxLength": "max_length", "pattern": "pattern"},
    "integer": _NUMBER,
    "number": _NUMBER,
    "boolean": {},
    "array": {"minItems": "min_length", "maxItems": "max_length"},
    "object": {"minProperties": "min_length", "maxProperties": "max_length"},
}
_PARTS = {"string": {"format"}, "array": {"items"}, "object": {"properties", "required", "additionalProperties"}}
#: What says something to people alone.
_SAID = {"$comment", "deprecated", "description", "examples", "title"}
_SCALARS = {"string": str, "integer": int, "number": float, "boolean": bool}
#: What may be a value of enum, and the types that it is of.
_VALUES = {str: {"string"}, int: {"integer", "number"}, type(None): {"null"}}
_MOST_DEFAULT = 500
#: Columns of the archive, and attributes of the struct.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


def fields(schema: object, place: str, name: str) -> list[Field]:
    """The properties of an object as ``defstruct`` takes them; ``name`` is what structs within are named after.

    Raises UserMistake for what is not mapped. A property that is neither required nor has a default may be UNSET.
    """
    schema = _checked(schema, place, {"type", "properties", "required"})
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if schema.get("type", "object") != "object" or not isinstance(properties, dict) or not isinstance(required, list):
        raise UserMistake(f"{place}: no object with properties")
    found: list[Field] = []
    for property, described in properties.items():
        here = f"{place}.{property}"
        if not _NAME.fullmatch(property) or iskeyword(property):
            raise UserMistake(f"{here}: no name for a property", hint="letters, digits and _, and no keyword of Python")
        kind = type_of(described, here, f"{name}.{property}")
        default = _default(described["default"], kind, here) if "default" in described else UNSET
        if property.casefold() in {field[0].casefold() for field in found}:
            raise UserMistake(f"{here}: differs from another only by capitals", hint="SQL takes them for one column")
        if property in required:
            found.append((property, kind))
        else:
            found.append((property, kind | UnsetType if default is UNSET else kind, default))
    if unknown := [each for each in required if each not in properties]:
        raise UserMistake(f"{place}: required, but no property: {', '.join(map(str, unknown))}")
    return found


def type_of(schema: object, place: str, name: str) -> Any:
    """The type of one property. Raises UserMistake."""
    described = _checked(schema, place, None)
    kind = described.get("type")
    if "enum" in described or "const" in described:
        return _one_of(described, place)
    if isinstance(kind, list):
        others = [each for each in kind if each != "null"]
        if len(kind) != 2 or len(others) != 1:
            raise UserMistake(f"{place}: several types", hint='one type, or one and "null"')
        return type_of({**described, "type": others[0]}, place, name) | None
    if not isinstance(kind, str) or kind not in _BOUNDS:
        raise UserMistake(f"{place}: no type that is mapped", hint=f"mapped are {', '.join(_BOUNDS)}, enum and const")
    _checked(described, place, {"type", "default", *_BOUNDS[kind], *_PARTS.get(kind, ())})
    if "format" in described:
        if described["format"] != "id" or _BOUNDS["string"].keys() & described.keys():
            raise UserMistake(f"{place}: the format {described['format']!r} is not mapped", hint='mapped is "id", unbounded')
        return Key
    if kind == "number" and described.get("multipleOf", 1) % 1:
        raise UserMistake(f"{place}: multipleOf of a number is a whole number", hint="count minor units, like cents")
    bounds = {ours: described[theirs] for theirs, ours in _BOUNDS[kind].items() if theirs in described}
    if kind == "integer":  # a column of 64 bits
        bounds = ({} if "gt" in bounds else {"ge": -(2**63)}) | ({} if "lt" in bounds else {"le": 2**63 - 1}) | bounds
    if "description" in described:
        bounds["description"] = described["description"]
    made = _inner(kind, described, place, name)
    try:
        bounded = Annotated[made, Meta(**bounds)] if bounds else made
        msgspec.json.Decoder(bounded)
    except (TypeError, ValueError, OverflowError, re.error) as error:
        raise UserMistake(f"{place}: {error}") from error
    return bounded


def _inner(kind: str, described: Schema, place: str, name: str) -> Any:
    if kind == "array":
        if "items" not in described:
            raise UserMistake(f"{place}: an array without items", hint='like "items": {"type": "string"}')
        return tuple[type_of(described["items"], f"{place}[]", name), ...]  # type: ignore[misc]  # a type that is made here
    if kind != "object":
        return _SCALARS[kind]
    if isinstance(values := described.get("additionalProperties"), dict) and not described.keys() & {"properties", "required"}:
        return dict[str, type_of(values, f"{place}.*", name)]  # type: ignore[misc]  # a type that is made here
    if "additionalProperties" in described:
        raise UserMistake(
            f"{place}: additionalProperties beside properties or required, or no schema",
            hint="properties that are not declared are dropped; a map has a schema of its values and no properties",
        )
    within = {keyword: value for keyword, value in described.items() if keyword != "default"}
    return msgspec.defstruct(name, fields(within, place, name), frozen=True, kw_only=True, gc=False, module=__name__)


def _one_of(described: Schema, place: str) -> Any:
    _checked(described, place, {"type", "enum", "const", "default"})
    values = described["enum"] if "enum" in described else [described["const"]]
    if not isinstance(values, list) or not values or any(type(each) not in _VALUES for each in values):
        raise UserMistake(f"{place}: not mapped: enum and const of anything but text, integers and null")
    kind = described.get("type")
    kinds = set(kind if isinstance(kind, list) else [kind])
    if {"enum", "const"} <= described.keys() or (
        "type" in described and not all(kinds & _VALUES[type(each)] for each in values)
    ):
        raise UserMistake(f"{place}: const beside enum, or a value that is not of its type")
    return Literal[tuple(values)]


def _default(value: object, kind: Any, place: str) -> Any:
    """Readers check an event with its defaults: one that they would refuse, or that grows with a list, is none."""
    if {"[", "*"} & set(place.rpartition(": $")[2]):
        raise UserMistake(f"{place}: a default within an array or a map", hint="leave it out: the property may be absent")
    if not is_plain(json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace"), _MOST_DEFAULT):
        raise UserMistake(f"{place}: a default with a control character, or of more than {_MOST_DEFAULT} bytes")
    try:
        made = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UserMistake(f"{place}: the default is none of its own values: {error}") from error
    return msgspec.field(default_factory=partial(dict, made)) if isinstance(made, dict) else made


def _checked(schema: object, place: str, mapped: set[str] | None) -> Schema:
    """Raises UserMistake for a keyword that is not mapped here."""
    if not isinstance(schema, Mapping):
        raise UserMistake(f"{place}: no JSON Schema, which is an object")
    if mapped is not None and (others := schema.keys() - mapped - _SAID):
        raise UserMistake(f"{place}: not mapped: {', '.join(sorted(others))}", hint=f"mapped are {', '.join(sorted(mapped))}")
    return dict(schema)
