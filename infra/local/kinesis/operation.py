"""What makes a function an operation of the API."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from clickstream.infra.local.kinesis.model.kinesis import Kinesis

P = ParamSpec("P")
R = TypeVar("R")


def operation(function: Callable[Concatenate[Kinesis, P], R]) -> Callable[Concatenate[Kinesis, P], R]:
    """Let injected faults hit calls of ``function``, which is named as the API names the operation, but in snake case."""
    name = api_name(function.__name__)

    @functools.wraps(function)
    def call(kinesis: Kinesis, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if not kinesis.faults.active:
            return function(kinesis, *args, **kwargs)
        kinesis.faults.check(name, "before")
        result = function(kinesis, *args, **kwargs)
        kinesis.faults.check(name, "after")
        return result

    return call


def api_name(function_name: str) -> str:
    """``put_records`` is PutRecords."""
    return "".join(word.capitalize() for word in function_name.split("_"))
