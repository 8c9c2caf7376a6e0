"""``python -m clickstream.load.benchmarks``: the ids of the command line, and the programs that they start."""

from __future__ import annotations

import importlib
import inspect
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from clickstream.load.benchmarks import __main__ as program
from clickstream.load.benchmarks.catalogue import BENCHMARKS, QUICK

_FOLDER = Path(program.__file__).parent
_PROGRAMS = sorted(
    {name for file in _FOLDER.rglob("*.py") for name in re.findall(r"load\.benchmarks(?:\.\w+)+", file.read_text())}
)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_an_unknown_benchmark_is_refused_by_naming_the_known(name: str) -> None:
    told = CliRunner().invoke(program.main, ["--only", "nothing"])

    assert told.exit_code == 2
    assert name in told.output


@pytest.mark.parametrize("built_by", BENCHMARKS.values())
def test_every_benchmark_can_be_built(built_by: str) -> None:
    module, function = built_by.split(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("name", QUICK)
def test_a_quick_size_is_one_that_the_benchmark_has(name: str) -> None:
    module, function = BENCHMARKS[name].split(":")
    inspect.signature(getattr(importlib.import_module(module), function)).bind(**QUICK[name])


@pytest.mark.parametrize("name", _PROGRAMS)
def test_every_program_that_is_started_exists(name: str) -> None:
    assert find_spec(name) is not None
