"""The members of a request, read with their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from clickstream.infra.local.kinesis.http.wire import Wire
from clickstream.infra.local.kinesis.model.errors import InvalidArgumentException, SerializationException

T = TypeVar("T")


class Parameters:
    """A member of a wrong type is a SerializationException."""

    def __init__(self, members: Mapping[str, Any], wire: Wire) -> None:
        self._members = members
        self._wire = wire

    def text(self, name: str) -> str | None:
        return self._typed(name, str)

    def integer(self, name: str) -> int | None:
        value = self._members.get(name)
        # JSON has one kind of number: 3.0 is an integer to AWS too
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, bool):
            raise SerializationException(f"{name} must be an integer")
        return self._typed(name, int)

    def flag(self, name: str) -> bool:
        return bool(self._typed(name, bool))

    def time_ms(self, name: str) -> int | None:
        value = self._members.get(name)
        return None if value is None else self._wire.milliseconds(value)

    def texts(self, name: str) -> list[str] | None:
        return self._converted(name, list[str])

    def mapping(self, name: str) -> dict[str, str] | None:
        return self._converted(name, dict[str, str])

    def structure(self, name: str) -> Parameters | None:
        members = self._converted(name, dict[str, Any])
        return None if members is None else Parameters(members, self._wire)

    def stream(self) -> str | None:
        """The stream that the call names by name or ARN, or by both if they agree."""
        name, arn = self.text("StreamName"), self.text("StreamARN")
        if name is not None and arn is not None and arn.rpartition("/")[2] != name:
            raise InvalidArgumentException("StreamName and StreamARN name different streams.")
        return name if arn is None else arn

    def _typed(self, name: str, kind: type[T]) -> T | None:
        value = self._members.get(name)
        if value is None or isinstance(value, kind):
            return value
        raise SerializationException(f"{name} has the wrong type: {type(value).__name__} in place of {kind.__name__}")

    def _converted(self, name: str, kind: type[T]) -> T | None:
        value = self._members.get(name)
        try:
            return None if value is None else msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise SerializationException(f"{name}: {error}") from None
