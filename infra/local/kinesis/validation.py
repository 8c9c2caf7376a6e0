"""Constraints of the API's model, reported as AWS reports them: all at once, in one ValidationException."""

from __future__ import annotations

import re
from collections.abc import Collection

from infra.local.kinesis.errors import ValidationException

NAME_PATTERN = "[a-zA-Z0-9_.-]+"
STREAM_ARN_PATTERN = r"arn:aws.*:kinesis:.*:\d{12}:stream/\S+"
CONSUMER_ARN_PATTERN = r"^(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+\/consumer\/[a-zA-Z0-9_.-]+:[0-9]+"
RESOURCE_ARN_PATTERN = r"arn:aws.*:kinesis:.*:\d{12}:.*stream/\S+"
SEQUENCE_PATTERN = r"0|([1-9]\d{0,128})"
HASH_KEY_PATTERN = r"0|([1-9]\d{0,38})"


def check(*violations: str | None) -> None:
    """Raise the violations that are there."""
    found = [violation for violation in violations if violation]
    if found:
        noun = "error" if len(found) == 1 else "errors"
        raise ValidationException(f"{len(found)} validation {noun} detected: {'; '.join(found)}")


def required(member: str, value: object) -> str | None:
    return _violation(None, member, "Member must not be null") if value is None else None


def name(member: str, value: str | None, longest: int = 128) -> str | None:
    """A stream's, shard's or consumer's name."""
    return required(member, value) or pattern(member, value, NAME_PATTERN) or length(member, value, 1, longest)


def arn(member: str, value: str | None, regex: str = STREAM_ARN_PATTERN) -> str | None:
    """An ARN where nothing else will do."""
    return required(member, value) or pattern(member, value, regex)


def pattern(member: str, value: str | None, regex: str) -> str | None:
    if value is None or re.fullmatch(regex, value):
        return None
    return _violation(value, member, f"Member must satisfy regular expression pattern: {regex}")


def length(member: str, value: str | Collection[object] | None, low: int, high: int) -> str | None:
    if value is None or low <= len(value) <= high:
        return None
    bound = f"greater than or equal to {low}" if len(value) < low else f"less than or equal to {high}"
    return _violation(value, member, f"Member must have length {bound}")


def between(member: str, value: int | None, low: int, high: int | None = None) -> str | None:
    if value is None or (value >= low and (high is None or value <= high)):
        return None
    bound = f"greater than or equal to {low}" if value < low else f"less than or equal to {high}"
    return _violation(value, member, f"Member must have value {bound}")


def one_of(member: str, value: str | None, allowed: Collection[str]) -> str | None:
    if value is None or value in allowed:
        return None
    return _violation(value, member, f"Member must satisfy enum value set: [{', '.join(allowed)}]")


def _violation(value: object, member: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{value if isinstance(value, str | int) else '[]'}'"
    return f"Value {shown} at '{member}' failed to satisfy constraint: {constraint}"
