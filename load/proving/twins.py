"""The same application in processes of their own, whose strings hash differently: an order that a set has is another there."""

import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from os import pathsep
from pathlib import Path
from types import TracebackType

import msgspec

from clickstream import events
from clickstream.application import Application
from clickstream.errors import UserMistake
from clickstream.events import AnyEvent
from clickstream.load.proving.runs import Run
from clickstream.load.simulation.foreign import Foreign, without_threads
from clickstream.needs import Needs, Table
from clickstream.settings import child_environment


class Twin:
    def __init__(self, foreign: Foreign, hash_seed: str) -> None:
        module, attribute = _place(foreign.application)
        environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": pathsep.join(each or str(Path.cwd()) for each in sys.path)}
        program = f"from {__name__} import answer; answer()"
        tables = msgspec.json.encode(foreign.needs.tables).decode()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", program, module, attribute, tables],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(environment),
        )

    def answers(self, batch: Sequence[AnyEvent]) -> dict[str, str]:
        """All in one batch. Raises UserMistake when the process has ended: what it said stands on stderr."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(msgspec.json.encode([events.encode(event).decode() for event in batch]) + b"\n")
            self._process.stdin.flush()
            return msgspec.json.decode(self._process.stdout.readline(), type=dict[str, str])
        except (BrokenPipeError, msgspec.DecodeError) as error:
            raise UserMistake("the application fails in a second process", hint="see stderr") from error

    def __enter__(self) -> "Twin":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate()


def _place(application: Application) -> tuple[str, str]:
    """The module that has it, the one imported last if there are several: others have it from there."""
    for name, module in reversed(list(sys.modules.items())):
        for attribute, value in list(vars(module).items()):
            if value is application and name != "__main__":
                return name, attribute
    raise UserMistake(
        f"the application {application.name} is in no module", hint="a second process must find it: assign it to a name there"
    )


def answer() -> None:
    """The second process."""
    module, attribute, tables = sys.argv[1:]
    application: Application = getattr(import_module(module), attribute)
    needs = Needs(name=application.name, wiring=module, tables=msgspec.json.decode(tables, type=tuple[Table, ...]))
    with without_threads():
        for line in sys.stdin.buffer:
            batch = [events.decode(event.encode()) for event in msgspec.json.decode(line, type=list[str])]
            answers = Run(Foreign(application, needs)).whole(batch)
            sys.stdout.buffer.write(msgspec.json.encode(answers) + b"\n")
            sys.stdout.flush()
