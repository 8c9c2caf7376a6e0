"""Constraints of an API's model, and how AWS words their violations: all at once, in one message."""

from __future__ import annotations

import re
from collections.abc import Collection

from clickstream.infra.local.limits.refusal import Refusal, validation


def refusal(*violations: str | None) -> Refusal | None:
    """The ValidationException that names the violations; None if there are none."""
    found = [violation for violation in violations if violation]
    if not found:
        return None
    return validation(f"{len(found)} validation {'error' if len(found) == 1 else 'errors'} detected: {'; '.join(found)}")


def required(member: str, value: object) -> str | None:
    return _violation(None, member, "Member must not be null") if value is None else None


def pattern(member: str, value: str | None, regex: str) -> str | None:
    if value is None or re.fullmatch(regex, value):
        return None
    return _violation(value, member, f"Member must satisfy regular expression pattern: {regex}")


def length(member: str, value: str | Collection[object] | None, low: int, high: int, *, shown: str | None = None) -> str | None:
    """``shown`` stands in the message in place of the value, where AWS shows another text; empty where it shows none."""
    if value is None or low <= len(value) <= high:
        return None
    bound = f"greater than or equal to {low}" if len(value) < low else f"less than or equal to {high}"
    return _violation(value, member, f"Member must have length {bound}", shown)


def between(member: str, value: int | None, low: int, high: int | None = None) -> str | None:
    if value is None or (value >= low and (high is None or value <= high)):
        return None
    bound = f"greater than or equal to {low}" if value < low else f"less than or equal to {high}"
    return _violation(value, member, f"Member must have value {bound}")


def one_of(member: str, value: str | None, allowed: Collection[str]) -> str | None:
    if value is None or value in allowed:
        return None
    return _violation(value, member, f"Member must satisfy enum value set: [{', '.join(allowed)}]")


def _violation(value: object, member: str, constraint: str, shown: str | None = None) -> str:
    if shown is None:
        shown = "null" if value is None else f"'{value if isinstance(value, str | int) else '[]'}'"
    return f"Value {shown}{' ' if shown else ''}at '{member}' failed to satisfy constraint: {constraint}"
