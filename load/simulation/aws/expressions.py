"""DynamoDB's expressions, as far as we write them: AND, OR, comparisons, attribute_not_exists, SET, ADD, REMOVE."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

Value = Mapping[str, Any]
"""An attribute value as the API writes it: {"S": "text"}, {"N": "12"}, {"BOOL": true}, {"B": bytes}."""
Item = dict[str, Value]
Condition = Callable[[Item, Mapping[str, Value]], bool]
Operand = Callable[[Item, Mapping[str, Value]], Any]

_TOKEN = re.compile(r"\s*(\(|\)|<=|>=|<>|=|<|>|[#:\w]+)")
_CLAUSE = re.compile(r"\b(SET|ADD|REMOVE)\s+(.*?)(?=\s+(?:SET|ADD|REMOVE)\b|$)")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(expression: str, names: Mapping[str, str], item: Item, values: Mapping[str, Value]) -> bool:
    """Whether a condition expression is true of an item ({} where there is none)."""
    return _compiled(expression, tuple(sorted(names.items())))(item, values)


def update(expression: str, names: Mapping[str, str], item: Item, values: Mapping[str, Value]) -> None:
    """Carry out an update expression of SET, ADD and REMOVE clauses, in place."""
    for clause, parts in _CLAUSE.findall(expression):
        for part in parts.split(","):
            if clause == "REMOVE":
                item.pop(names.get(part.strip(), part.strip()), None)
                continue
            name, value = part.replace("=", " ").split()
            name = names.get(name, name)
            if clause == "SET":
                item[name] = values[value]
            else:
                item[name] = {"N": str(int(item.get(name, {"N": "0"})["N"]) + int(values[value]["N"]))}


@cache
def _compiled(expression: str, names: tuple[tuple[str, str], ...]) -> Condition:
    return _Parser(expression, dict(names)).parse()


def _plain(value: Value | None) -> Any:
    if value is None:
        return None
    ((kind, plain),) = value.items()
    return int(plain) if kind == "N" else plain


class _Parser:
    """Recursive descent; OR binds weaker than AND."""

    def __init__(self, expression: str, names: Mapping[str, str]) -> None:
        self._tokens = _TOKEN.findall(expression)
        self._names = names

    def parse(self) -> Condition:
        condition = self._either()
        assert not self._tokens, f"not understood: {self._tokens}"
        return condition

    def _either(self) -> Condition:
        left = self._both()
        while self._tokens and self._tokens[0] == "OR":
            self._tokens.pop(0)
            left = _any_of(left, self._both())
        return left

    def _both(self) -> Condition:
        left = self._single()
        while self._tokens and self._tokens[0] == "AND":
            self._tokens.pop(0)
            left = _all_of(left, self._single())
        return left

    def _single(self) -> Condition:
        token = self._tokens.pop(0)
        if token == "(":
            inner = self._either()
            assert self._tokens.pop(0) == ")"
            return inner
        if token == "attribute_not_exists":
            _, name, _ = (self._tokens.pop(0) for _ in range(3))
            missing = self._names.get(name, name)
            return lambda item, _: missing not in item
        compare = _COMPARE[self._tokens.pop(0)]
        left, right = self._operand(token), self._operand(self._tokens.pop(0))

        def condition(item: Item, values: Mapping[str, Value]) -> bool:
            # a missing attribute compares to nothing, not even to its absence
            mine, other = left(item, values), right(item, values)
            return mine is not None and other is not None and compare(mine, other)

        return condition

    def _operand(self, token: str) -> Operand:
        if token.startswith(":"):
            return lambda _, values: _plain(values[token])
        name = self._names.get(token, token)
        return lambda item, _: _plain(item.get(name))


def _any_of(left: Condition, right: Condition) -> Condition:
    return lambda item, values: left(item, values) or right(item, values)


def _all_of(left: Condition, right: Condition) -> Condition:
    return lambda item, values: left(item, values) and right(item, values)
