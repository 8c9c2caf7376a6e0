"""No clock, no randomness and no I/O in a fold: while it runs, whoever asks for one is told so."""

import builtins
import datetime
import gc
import os
import random
import secrets
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from types import FrameType, ModuleType
from typing import Any, NoReturn

#: Python's audit events of what acts on the world.
_ACTS = ("open", "socket.", "subprocess.", "os.", "shutil.", "tempfile.", "glob.", "sqlite3.", "urllib.", "http.")
_NAMES: dict[ModuleType, str] = {
    time: "sleep time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time thread_time",
    random: " ".join(name for name in random.__all__ if name[0].islower()),
    uuid: "uuid1 uuid4",
    os: "urandom",
    secrets: "choice randbelow randbits token_bytes token_hex token_urlsafe",
    builtins: "input print",
}


class Impure(BaseException):
    """Not an Exception, so that no code under test takes it for a failure of its own."""


def _refused(what: str) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise Impure(what)

    return refuse


def _without_clock(real: type) -> type:
    class OfAnyTime(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, real)

    refuse = {name: classmethod(_refused(f"{real.__name__}.{name}")) for name in ("now", "utcnow", "today")}
    return OfAnyTime(real.__name__, (real,), {"__new__": lambda _, *args, **named: real(*args, **named), **refuse})


class Purity:
    """What a fold must not reach, wherever a module has it under a name of its own."""

    def __init__(self) -> None:
        refused: dict[int, Any] = {
            id(getattr(module, name)): _refused(f"{module.__name__}.{name}")
            for module, names in _NAMES.items()
            for name in names.split()
        }
        refused |= {id(kind): _without_clock(kind) for kind in (datetime.datetime, datetime.date)}
        watched = [
            module
            for name, module in list(sys.modules.items())
            if (root := name.partition(".")[0]) not in sys.stdlib_module_names
            and root not in ("hypothesis", "_pytest", "pytest")
        ]
        self._found = [
            (space, name, value, refused[id(value)])
            for space in (vars(module) for module in {*watched, *_NAMES, datetime} - {sys.modules[__name__]})
            for name, value in list(space.items())
            if id(value) in refused
        ]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """For the time of one call of the fold; raises Impure in it. The collector rests: its callbacks are not the fold's."""
        global _inside
        collecting, _inside = gc.isenabled(), get_ident()
        gc.disable()
        try:
            for space, name, _, refused in self._found:
                space[name] = refused
            yield
        finally:
            for space, name, value, _ in self._found:
                space[name] = value
            _inside = None
            if collecting:
                gc.enable()


_inside: int | None = None


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if _inside is not None and event.startswith(_ACTS) and _inside == get_ident() and not _importing():
        raise Impure(f"{event}{args[:1]}")


def _importing() -> bool:
    """A module that is needed for the first time may be read."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


sys.addaudithook(_audit)
