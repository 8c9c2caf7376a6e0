"""The stacks, synthesized once for all tests: cdk-nag runs over each, and fails the synthesis for what it finds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.infra.snapshots import synthesize
from tests.infra.templates import Template, read

pytest.importorskip("aws_cdk", reason="the CDK is not installed: uv sync --group infra")
if shutil.which("node") is None:
    pytest.skip("no node, which runs the CDK's kernel", allow_module_level=True)

Templates = dict[str, Template]


@pytest.fixture(scope="session")
def assemblies(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Stage → the folder of its assembly: production, staging led by the state machine, and the pipeline."""
    return synthesize(tmp_path_factory.mktemp("cdk"))


@pytest.fixture(scope="session")
def templates(assemblies: dict[str, Path]) -> dict[str, Templates]:
    """Stage → stack → template."""
    return {stage: read(folder) for stage, folder in assemblies.items()}
