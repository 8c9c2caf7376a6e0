"""Whatever a fold could reach for is refused while it runs, under whatever name it has it, and nothing else is."""

from __future__ import annotations

import datetime as dates
import os
import random
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from random import choice
from time import time as now

import msgspec
import pytest

from clickstream.testing.purity import Impure, Purity


@pytest.mark.parametrize(
    ("reach", "named"),
    [
        (lambda: time.time(), "time.time"),
        (lambda: now(), "time.time"),
        (lambda: time.sleep(0), "time.sleep"),
        (lambda: datetime.now(UTC), "datetime.now"),
        (lambda: dates.datetime.now(UTC), "datetime.now"),
        (lambda: date.today(), "date.today"),
        (lambda: random.random(), "random.random"),
        (lambda: choice([1, 2]), "random.choice"),
        (lambda: uuid.uuid4(), "uuid.uuid4"),
        (lambda: os.urandom(1), "os.urandom"),
        (lambda: Path(__file__).read_text(), "open"),
        (lambda: os.listdir("."), "os.listdir"),  # noqa: PTH208  # as a fold might
        (lambda: socket.create_connection(("127.0.0.1", 9)), "socket."),
        (lambda: subprocess.run(["true"], check=True), "subprocess.Popen"),
        (lambda: print("x"), "builtins.print"),  # noqa: T201  # is not reached
    ],
)
def test_what_acts_is_refused(reach: Callable[[], object], named: str) -> None:
    purity = Purity()
    with pytest.raises(Impure) as impure, purity.watched():
        reach()
    assert str(impure.value).startswith(named)
    assert time.time() > 0, "afterwards all is as before"
    assert type(datetime.now(UTC)) is datetime


def test_what_is_pure_works() -> None:
    sys.modules.pop("colorsys", None)
    with Purity().watched():
        moment = datetime.fromtimestamp(1_800_000_000, UTC)
        assert isinstance(moment, datetime)
        assert msgspec.json.encode(moment) == b'"2027-01-15T08:00:00Z"'
        assert random.Random(1).random() == random.Random(1).random()
        import colorsys  # what is needed for the first time is read from its file
    assert colorsys
    assert type(moment) is datetime
