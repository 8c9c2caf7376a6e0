"""The types of events that a shop declares: folders of JSON Schemas, and packages with structs.

A file ``wish.v2.json`` is version 2 of the type ``wish``. ``CLICKSTREAM_EVENTS`` is a folder. A package names a module as an
entry point of the group ``clickstream.events``; its ``EVENTS`` are a folder or structs. A type of the seven is added to.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from clickstream.envelope import BUILT_IN, Event
from clickstream.errors import InvalidEvent, Missing, Rejected, UserMistake
from clickstream.schemas import mapping
from clickstream.schemas.mapping import Schema
from clickstream.settings import events_folder

Fields = dict[str, Any]
PUBLISHED = "published.json"
GROUP = "clickstream.events"
_MOST_BYTES = 32_000
_FILE = re.compile(r"(?P<type>.+)\.v(?P<version>[1-9][0-9]{0,3})\.json")
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SEVEN: dict[str, type[Event]] = {str(kind.__struct_config__.tag): kind for kind in BUILT_IN}


class Declared(NamedTuple):
    """One type. Each version that is still taken has its struct; the latest is the one that events are of."""

    name: str
    source: str
    kinds: dict[int, type[Event]]
    upcast: Callable[[Fields, int], Fields]
    """(fields, their version) → fields of the latest version."""
    schemas: dict[int, Schema]
    """As the folder has them; none for a struct."""

    @property
    def version(self) -> int:
        return max(self.kinds)

    @property
    def kind(self) -> type[Event]:
        return self.kinds[self.version]

    @property
    def replaces(self) -> type[Event] | None:
        """The one of the seven types to which this adds properties."""
        return _SEVEN.get(self.name)

    def to_latest(self, fields: Fields) -> Fields:
        """The same event in the latest version; one of a future version comes back as it is. Raises InvalidEvent."""
        version = fields.get("type_version", 1)
        if type(version) is not int or not 1 <= version < self.version or (self.schemas and version not in self.kinds):
            return fields
        try:
            return {**self.upcast(dict(fields), version), "type_version": self.version}
        except Rejected:
            raise
        except Exception as error:
            raise InvalidEvent(f"cannot be brought from version {version} to {self.version}: {type(error).__name__}") from error


def load() -> dict[str, Declared]:
    """Name → what is declared, in the names' order. Raises UserMistake with the file and the place, or the module."""
    folder = events_folder()
    found: dict[str, Declared] = {}
    for declared in [*([] if folder is None else _in_folder(folder, "CLICKSTREAM_EVENTS")), *_in_packages()]:
        other = found.setdefault(declared.name, declared)
        # the same schemas are one declaration, wherever else they are: a project that is installed and worked on
        if other is not declared and (not declared.schemas or other.schemas != declared.schemas):
            raise UserMistake(f"{declared.name} is declared twice: {other.source} and {declared.source}")
    return dict(sorted(found.items()))


def _in_folder(folder: Traversable, named_by: str) -> Iterator[Declared]:
    if not folder.is_dir():
        raise Missing(f"{named_by}: no folder {folder}", hint="a folder with a JSON Schema per type, like wish.v1.json")
    found: defaultdict[str, dict[int, Schema]] = defaultdict(dict)
    for file in folder.iterdir():
        if file.name == PUBLISHED or not file.name.endswith(".json"):
            continue
        named = _FILE.fullmatch(file.name)
        if named is None or not _TYPE.fullmatch(named["type"]):
            raise UserMistake(f"{file} is not named TYPE.vN.json", hint="like wish.v1.json; small letters, digits and _")
        found[named["type"]][int(named["version"])] = _read(file)
    for name, schemas in found.items():
        if len(schemas) != max(schemas) - min(schemas) + 1:
            raise UserMistake(f"{folder}: {name} has version {max(schemas)}, but not every one before it")
        if name in _SEVEN and 1 not in schemas:
            raise UserMistake(f"{folder}: {name} begins with version 1, which is what its producers of today send")
        kinds = {version: _built(name, version, schema, folder) for version, schema in sorted(schemas.items())}
        yield Declared(name, str(folder), kinds, partial(_with_defaults, schemas), schemas)


def _read(file: Traversable) -> Schema:
    try:
        schema = msgspec.json.decode(file.read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UserMistake(f"{file}: {error}") from error
    if not isinstance(schema, dict):
        raise UserMistake(f"{file}: no JSON Schema, which is an object")
    return {keyword: value for keyword, value in schema.items() if keyword not in ("$schema", "$id")}


def _built(name: str, version: int, schema: Schema, folder: Traversable) -> type[Event]:
    place = f"{folder / name}.v{version}.json: $"
    if len(msgspec.json.encode(schema)) > _MOST_BYTES:  # so its defaults have fewer
        raise UserMistake(f"{place}: a schema of more than {_MOST_BYTES:,} bytes")
    try:
        return _struct(name, version, schema, place)
    except UserMistake:
        raise
    except Exception as error:  # whatever JSON can be where a schema has something else
        raise UserMistake(f"{place}: no type of events: {type(error).__name__}: {error}") from error


def _struct(name: str, version: int, schema: Schema, place: str) -> type[Event]:
    parent = _SEVEN.get(name, Event)
    # a later version is required: what says another, or none, is brought to it first
    kind: Any = Literal[version]
    stated: mapping.Field = ("type_version", kind, 1) if version == 1 else ("type_version", kind)
    own = mapping.fields(schema, place, name)
    theirs = {*parent.__struct_fields__, "type", "type_version"}
    if taken := sorted(field[0] for field in own if field[0].casefold() in theirs):
        raise UserMistake(f"{place}: every event of this kind has its own {', '.join(taken)}", hint="choose another name")
    _refuse_required(place, [field[0] for field in own if len(field) == 2], parent)
    called = name if parent is Event else parent.__name__
    options: Any = {"module": __name__, "tag": name, "frozen": True, "kw_only": True, "gc": False}
    made: Any = msgspec.defstruct(called, [stated, *own], bases=(parent,), **options)
    return made  # type: ignore[no-any-return]  # a subclass of parent


def added(older: Schema, newer: Schema) -> dict[str, Schema]:
    """The properties that the newer version alone has."""
    return {name: each for name, each in newer.get("properties", {}).items() if name not in older.get("properties", {})}


def _with_defaults(schemas: dict[int, Schema], fields: Fields, version: int) -> Fields:
    """What the older version did not declare is new: an older producer meant something else by it, if it sent it at all."""
    for older in range(version, max(schemas)):
        new = added(schemas[older], schemas[older + 1])
        defaults = {name: described["default"] for name, described in new.items() if "default" in described}
        fields = {name: value for name, value in fields.items() if name not in new} | defaults
    return fields


def _in_packages() -> Iterator[Declared]:
    for source, point in sorted({point.value: point for point in entry_points(group=GROUP)}.items()):
        try:
            events = point.load().EVENTS
            kinds = events if isinstance(events, Traversable) else tuple(events)
        except UserMistake:
            raise
        except Exception as error:
            raise UserMistake(
                f"cannot load the events of {source}: {type(error).__name__}: {error}",
                hint="a module with EVENTS: a folder of JSON Schemas, or a tuple of structs of clickstream.envelope",
            ) from error
        if isinstance(kinds, Traversable):
            yield from _in_folder(kinds, source)
        else:
            yield from (_packaged(kind, source) for kind in kinds)


def _packaged(kind: type[Event], source: str) -> Declared:
    name = str(kind.__struct_config__.tag) if isinstance(kind, type) and issubclass(kind, Event) else ""
    place = f"{source}: {getattr(kind, '__name__', kind)}"
    parent = _SEVEN.get(name, Event)
    if not _TYPE.fullmatch(name) or not issubclass(kind, parent) or kind is parent or not kind.__struct_config__.frozen:
        raise UserMistake(
            f"{place} is no type of events",
            hint='class Wish(Event, frozen=True, kw_only=True, gc=False, tag="wish"); small letters, digits and _ in the tag',
        )
    theirs, fields = msgspec.structs.fields(parent), msgspec.structs.fields(kind)
    if fields[: len(theirs)] != theirs:
        raise UserMistake(f"{place} changes the fields of {parent.__name__}")
    if len({"type", *(field.encode_name.casefold() for field in fields)}) <= len(fields):
        raise UserMistake(f"{place} has names that differ only by capitals", hint="SQL takes them for one column")
    own = fields[len(theirs) :]
    versions = [value for field in own if field.name == "type_version" for value in get_args(field.type)]
    version = versions[0] if versions and isinstance(versions[0], int) else 1
    if version > 1 and any(field.name == "type_version" and not field.required for field in own):
        raise UserMistake(f"{place}: type_version has a default", hint="an event without one is of version 1")
    try:
        schema = msgspec.json.schema(kind, schema_hook=lambda _: {})
    except Exception as error:
        raise UserMistake(f"{place} cannot be decoded: {error}") from error
    if "'format': 'decimal'" in repr(schema):
        raise UserMistake(f"{place} has a Decimal", hint="an integer of minor units, or a text")
    _refuse_required(place, [field.name for field in own if field.required and field.name != "type_version"], parent)
    upcast: Callable[[Fields, int], Fields] | None = getattr(kind, "upcast", None)
    if version > 1 and upcast is None:
        raise UserMistake(f"{place} has version {version} and no upcast", hint="a classmethod upcast(fields, version)")
    return Declared(name, place, {version: kind}, upcast or (lambda fields, _: fields), {})


def _refuse_required(place: str, required: list[str], parent: type[Event]) -> None:
    if required and parent is not Event:
        message = f"{place}: an added property cannot be required: {', '.join(required)}"
        raise UserMistake(message, hint="producers of today send none")
