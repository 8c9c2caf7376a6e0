"""The stacks, synthesized once for all tests: cdk-nag runs over each, and fails the synthesis for what it finds."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.infra.snapshots import synthesize
from tests.infra.templates import Template, read

if shutil.which("node") is None or find_spec("aws_cdk") is None:
    # importing the CDK starts its kernel, so nothing here can even be collected
    collect_ignore_glob = ["test_*.py"]

    def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line("tests/infra did not run: they need node, and `uv sync --group infra`")


Templates = dict[str, Template]


@pytest.fixture(scope="session")
def assemblies(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Stage → the folder of its assembly: production, staging led by the state machine, and the pipeline."""
    return synthesize(tmp_path_factory.mktemp("cdk"))


@pytest.fixture(scope="session")
def templates(assemblies: dict[str, Path]) -> dict[str, Templates]:
    """Stage → stack → template."""
    return {stage: read(folder) for stage, folder in assemblies.items()}
