"""Judges answers by botocore's service model of Kinesis: required members, types, bounds, and nothing unknown.

Reads the raw body, not boto3's parsed one: the parser drops what it does not know and fills in what is missing.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["header", "error", "missing", "null", "unknown", "value"]

UNMODELLED_ERRORS = frozenset({"ValidationException", "SerializationException", "UnknownOperationException"})
"""What the front of any AWS JSON service answers, whether or not an operation's model names it."""


@dataclass(frozen=True)
class Violation:
    """One way in which an answer departs from the model."""

    kind: Kind
    text: str


def violations(operation: Any, status: int, headers: Mapping[str, str], body: bytes) -> list[Violation]:
    """What is wrong with one answer to ``operation`` (a botocore ``OperationModel``); empty when nothing is."""
    found = []
    if not headers.get("x-amzn-requestid"):
        found.append(Violation("header", "no x-amzn-RequestId"))
    content_type = headers.get("content-type", "")
    if body and content_type != "application/x-amz-json-1.1":
        found.append(Violation("header", f"content-type is {content_type!r}"))
    if status >= 300:
        return found + list(_error(operation, status, body))
    if operation.output_shape is None:
        return found if body in (b"", b"{}") else [*found, Violation("unknown", "a body where the model has none")]
    return found + list(_value(operation.output_shape, json.loads(body), operation.output_shape.name))


def _error(operation: Any, status: int, body: bytes) -> Iterator[Violation]:
    try:
        answer = json.loads(body)
    except ValueError:
        yield Violation("error", f"HTTP {status} without a JSON body")
        return
    name = str(answer.get("__type", "")).rpartition("#")[2]
    modelled = {shape.name for shape in operation.error_shapes}
    if name not in modelled | UNMODELLED_ERRORS:
        yield Violation("error", f"error {name!r} is not one that {operation.name} has")
    if not isinstance(answer.get("message", answer.get("Message")), str):
        yield Violation("error", f"{name} has no message")
    if unknown := set(answer) - {"__type", "message", "Message"}:
        yield Violation("error", f"{name} has unknown members {sorted(unknown)}")
    if status != 400:
        yield Violation("error", f"{name} came with HTTP {status}")


def _value(shape: Any, value: Any, path: str) -> Iterator[Violation]:
    """Walks a JSON value along its shape."""
    check = _CHECKS[shape.type_name]
    yield from check(shape, value, path)


def _structure(shape: Any, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, dict):
        yield Violation("value", f"{path}: {value!r} is not an object")
        return
    names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
    for missing in sorted(set(shape.required_members) - {names[key] for key in value if key in names}):
        yield Violation("missing", f"{path}.{missing} is required and missing")
    for key, item in value.items():
        if key not in names:
            yield Violation("unknown", f"{path}.{key} is unknown to the model")
        elif item is None:
            yield Violation("null", f"{path}.{key} is null, which is no value of its type")
        else:
            yield from _value(shape.members[names[key]], item, f"{path}.{key}")


def _list(shape: Any, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, list):
        yield Violation("value", f"{path}: {value!r} is not a list")
        return
    yield from _bounds(shape, len(value), path)
    for index, item in enumerate(value):
        yield from _value(shape.member, item, f"{path}[{index}]")


def _map(shape: Any, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, dict):
        yield Violation("value", f"{path}: {value!r} is not a map")
        return
    for key, item in value.items():
        yield from _value(shape.key, key, f"{path} key")
        yield from _value(shape.value, item, f"{path}[{key}]")


def _string(shape: Any, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, str):
        yield Violation("value", f"{path}: {value!r} is not a string")
        return
    yield from _bounds(shape, len(value), path)
    if shape.enum and value not in shape.enum:
        yield Violation("value", f"{path}: {value!r} is not one of {shape.enum}")
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        yield Violation("value", f"{path}: {value!r} does not match {pattern}")


def _blob(shape: Any, value: Any, path: str) -> Iterator[Violation]:
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        yield Violation("value", f"{path} is not base64")
        return
    yield from _bounds(shape, len(data), path)


def _whole_number(shape: Any, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, int) or isinstance(value, bool):
        yield Violation("value", f"{path}: {value!r} is not a whole number")
        return
    yield from _bounds(shape, value, path)


def _timestamp(shape: Any, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        yield Violation("value", f"{path}: {value!r} is not seconds since the epoch")
    elif not 1.4e9 < value < 1e10:
        yield Violation("value", f"{path}: {value!r} is no time of this service in seconds")


def _boolean(shape: Any, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, bool):
        yield Violation("value", f"{path}: {value!r} is not a boolean")


def _number(shape: Any, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        yield Violation("value", f"{path}: {value!r} is not a number")


def _bounds(shape: Any, size: int, path: str) -> Iterator[Violation]:
    # lower bounds bind requests only: AWS itself answers FailedRecordCount 0 (min 1) and empty metric lists (min 1)
    high = shape.metadata.get("max")
    if high is not None and size > high:
        yield Violation("value", f"{path}: {size} is above {high}")


_CHECKS: dict[str, Callable[[Any, Any, str], Iterator[Violation]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "blob": _blob,
    "integer": _whole_number,
    "long": _whole_number,
    "timestamp": _timestamp,
    "boolean": _boolean,
    "double": _number,
    "float": _number,
}
