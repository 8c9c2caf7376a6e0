"""JSON Schema as far as our OpenAPI documents use it: values made from a schema, and a value held against one."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


class Document:
    """An OpenAPI document, whose references can be followed."""

    def __init__(self, document: Schema) -> None:
        self.root = document

    def _followed(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            found: Any = self.root
            for step in schema["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            schema = found
        return schema

    def values(self, schema: Schema) -> st.SearchStrategy[Any]:
        """Values that the schema allows."""
        schema = self._followed(schema)
        if "anyOf" in schema:
            return st.one_of([self.values(each) for each in schema["anyOf"]])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        match schema.get("type"):
            case "object":
                fields = {name: self.values(each) for name, each in schema["properties"].items()}
                needed = schema.get("required", [])
                return st.fixed_dictionaries(
                    {name: each for name, each in fields.items() if name in needed},
                    optional={name: each for name, each in fields.items() if name not in needed},
                )
            case "array":
                most = min(schema.get("maxItems", 4), 4)
                return st.lists(self.values(schema["items"]), min_size=schema.get("minItems", 0), max_size=most)
            case "string" if "pattern" in schema and "minLength" not in schema:
                return st.from_regex(schema["pattern"].replace("$", r"\Z"))
            case "string":
                most = min(schema.get("maxLength", 40), 40)
                # a lone surrogate is no text that JSON's UTF-8 can carry
                text = st.text(st.characters(codec="utf-8"), min_size=schema.get("minLength", 0), max_size=most)
                allowed = re.compile(schema.get("pattern", "").replace("$", r"\Z"))
                return text.filter(lambda each: allowed.search(each) is not None)
            case "integer":
                return st.integers(schema.get("minimum"), schema.get("maximum"))
            case "boolean":
                return st.booleans()
            case "null":
                return st.none()
        raise AssertionError(f"a schema that this does not know: {schema}")

    def mangled(self, schema: Schema) -> st.SearchStrategy[Any]:
        """Values that are mostly as the schema has them, with one field gone, added, or of anything."""

        @st.composite
        def made(draw: st.DrawFn) -> Any:
            value = draw(self.values(schema))
            place = value
            while isinstance(place, dict) and place:
                name = draw(st.sampled_from(sorted(place)))
                inner = place[name]
                if isinstance(inner, dict) and inner and draw(st.booleans()):
                    place = inner
                    continue
                match draw(st.sampled_from(["gone", "other", "more"])):
                    case "gone":
                        del place[name]
                    case "other":
                        place[name] = draw(ANYTHING)
                    case _:
                        place[draw(st.text(max_size=8))] = draw(ANYTHING)
                return value
            return draw(ANYTHING)

        return made()

    def faults(self, schema: Schema, value: Any, path: str = "$") -> list[str]:
        """Where the value is not as the schema says; fields that it does not name are faults too."""
        schema = self._followed(schema)
        if "anyOf" in schema:
            tried = [self.faults(each, value, path) for each in schema["anyOf"]]
            return [] if any(not found for found in tried) else min(tried, key=len)
        if "enum" in schema:
            return [] if value in schema["enum"] else [f"{path}: {value!r} is none of {schema['enum']}"]
        kind = schema.get("type")
        if kind is not None and not _is(kind, value):
            return [f"{path}: {value!r} is no {kind}"]
        if kind == "object" and "properties" in schema:
            found = [f"{path}.{name} is missing" for name in schema.get("required", []) if name not in value]
            found += [f"{path}.{name} is not described" for name in value if name not in schema["properties"]]
            for name, each in schema["properties"].items():
                if name in value:
                    found += self.faults(each, value[name], f"{path}.{name}")
            return found
        if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
            return [
                f for name, each in value.items() for f in self.faults(schema["additionalProperties"], each, f"{path}.{name}")
            ]
        if kind == "array":
            heads = schema.get("prefixItems", [])
            kinds = [*heads, *[schema.get("items", {})] * (len(value) - len(heads))]
            return [fault for n, each in enumerate(value) for fault in self.faults(kinds[n] or {}, each, f"{path}[{n}]")]
        if "minimum" in schema and value < schema["minimum"]:
            return [f"{path}: {value!r} is below {schema['minimum']}"]
        return []


def _is(kind: str, value: Any) -> bool:
    if kind in ("integer", "number"):
        return isinstance(value, (int, float) if kind == "number" else int) and not isinstance(value, bool)
    return isinstance(value, {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}[kind])
