"""A row of a table as an event: which column is which field, what its words are called here, and in which units it counts.

A column that has the name of a field is that field. An event's id and session, which most tables lack, are made
(``load.replay.identity``), and so are a purchase's order id and total, from ``price`` and ``quantity``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from clickstream import events
from clickstream.errors import InvalidEvent, UserMistake
from clickstream.events import AnyEvent
from clickstream.load.replay.identity import Sessions, event_id
from clickstream.money import exponent

Fields = dict[str, Any]
_REQUIRED = ("type", "user_id", "occurred_at")
_SHOWN = 200
_MONEY = ("amount", "price")
#: In CSV they are JSON.
_NESTED = ("items", "context")
#: Times below are seconds, milliseconds, microseconds since the epoch; what is above, nanoseconds. Holds until the year 5138.
_UNITS = ((10**11, Decimal(1000)), (10**14, Decimal(1)), (10**17, Decimal("1e-3")))


class ColumnMap(msgspec.Struct, frozen=True):
    """What the options say."""

    columns: Mapping[str, str] = {}
    """Field → column; ``context.country`` is a field too."""
    texts: Mapping[str, str] = {}
    """Field → what it is in every row."""
    types: Mapping[str, str] = {}
    """A word of the column that is ``type`` → the type of event that it means."""
    major_units: bool = False
    """Amounts and prices are 12.34, and not 1234."""


class Rows:
    """One input's rows as events; keeps each visitor's running session."""

    def __init__(self, mapping: ColumnMap) -> None:
        self._mapping = mapping
        self._sessions = Sessions()

    def check(self, columns: Sequence[str]) -> None:
        """Raises UserMistake when a column of the mapping is not there, or no column is what every event must have."""
        mapping, there = self._mapping, f"the columns are {', '.join(columns)[:_SHOWN]}"
        for column in mapping.columns.values():
            if column not in columns:
                raise UserMistake(f"no column {column!r}", hint=there)
        if missing := [name for name in _REQUIRED if name not in {*columns, *mapping.columns, *mapping.texts}]:
            raise UserMistake(f"no column for {', '.join(missing)}", hint=f"--map {missing[0]}=COLUMN; {there}")

    def event(self, number: int, row: Fields) -> AnyEvent:
        """Raises InvalidEvent; its path is of the event."""
        fields = self._fields(_present(row))
        fields["occurred_at"] = at = _milliseconds(fields.get("occurred_at"))
        user = fields.get("user_id", "")
        fields.setdefault("event_id", event_id(number, msgspec.json.encode(row, enc_hook=str), at))
        if "session_id" not in fields and user:
            fields["session_id"] = self._sessions.of(user, at / 1000)
        for name in _MONEY:
            if name in fields:
                fields[name] = _minor(fields[name], fields.get("currency"), name, major=self._mapping.major_units)
        if fields.get("type") == "purchase":
            _complete(fields)
        try:
            event: AnyEvent = msgspec.convert(fields, AnyEvent, strict=False)
        except msgspec.ValidationError as error:
            reason, path = events.split_path(str(error))
            if path == "$.type":
                word = fields.get("type")
                reason = f"no type {word!r}: name it by --type {word}=product_view, say; known are {', '.join(events.KNOWN)}"
            raise InvalidEvent(reason, path) from error
        return events.decode(events.encode(event))

    def _fields(self, row: Fields) -> Fields:
        mapping, fields = self._mapping, {name: row[name] for name in row if name != "schema_version"}
        for name, column in mapping.columns.items():
            fields.pop(name, None)
            if column in row:
                _put(fields, name, row[column])
        for name, text in mapping.texts.items():
            _put(fields, name, text)
        for name in _NESTED:
            if isinstance(fields.get(name), str):
                with suppress(msgspec.DecodeError):
                    fields[name] = msgspec.json.decode(fields[name])
        if "type" in fields:
            fields["type"] = mapping.types.get(fields["type"], fields["type"])
        return fields


def _put(fields: Fields, name: str, value: Any) -> None:
    outer, dot, inner = name.partition(".")
    if not dot:
        fields[name] = value
    else:
        fields[outer] = {**fields.get(outer, {}), inner: value}


def _present(value: Any) -> Any:
    """Without what is empty; numbers as text, of which the event's type makes what it asks for."""
    if isinstance(value, dict):
        return {name: _present(part) for name, part in value.items() if part is not None and part != "" and part == part}
    if isinstance(value, list):
        return [_present(part) for part in value]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, datetime | date | bool) else str(value)


def _milliseconds(value: Any) -> int:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            value = _moment(value)
        else:
            if not number.is_finite():
                raise InvalidEvent("no time", "$.occurred_at")
            return int(number * next((factor for most, factor in _UNITS if abs(number) < most), Decimal("1e-6")))
    if value is None:
        raise InvalidEvent("no time", "$.occurred_at")
    moment: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
    return int(Decimal(moment.timestamp()) * 1000)


def _moment(text: str) -> datetime:
    """ISO 8601; also with `` UTC`` at its end, as many exports have it."""
    try:
        return datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError as error:
        raise InvalidEvent("neither a number since the epoch nor a time in ISO 8601", "$.occurred_at") from error


def _minor(value: Any, currency: Any, name: str, *, major: bool) -> int:
    try:
        amount = Decimal(value)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise InvalidEvent("no amount", f"$.{name}") from error
    if not amount.is_finite() or abs(amount) > 10**15:
        raise InvalidEvent("no amount", f"$.{name}")
    amount = amount.scaleb(exponent(currency) if isinstance(currency, str) else 2) if major else amount
    if amount != amount.to_integral_value():
        hint = "more decimals than the currency has" if major else "no whole number of minor units: --major-units takes 12.34"
        raise InvalidEvent(hint, f"$.{name}")
    return int(amount)


def _complete(fields: Fields) -> None:
    """A purchase of one product, which many tables have as columns."""
    fields.setdefault("order_id", f"order-{fields['event_id']}")
    if "product_id" in fields and "items" not in fields:
        fields["items"] = [{name: fields[name] for name in ("product_id", "category", "quantity", "price") if name in fields}]
    if "price" in fields and "amount" not in fields:
        pieces = str(fields.get("quantity", 1))
        fields["amount"] = fields["price"] * (int(pieces) if pieces.isdigit() else 1)
