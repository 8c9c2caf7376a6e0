"""The stacks, synthesized once for all tests: cdk-nag runs over each, and fails the synthesis for what it finds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.infra.templates import Template, read

pytest.importorskip("aws_cdk", reason="the CDK is not installed: uv sync --group infra")
if shutil.which("node") is None:
    pytest.skip("no node, which runs the CDK's kernel", allow_module_level=True)

Templates = dict[str, Template]


@pytest.fixture(scope="session")
def assemblies(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Stage → the folder of its assembly: production, staging led by the state machine, and the pipeline."""
    # the kernel's process starts here, and says at length that it would like a newer node
    import msgspec

    from infra import app
    from infra.stages import PRODUCTION, STAGING

    folder = tmp_path_factory.mktemp("cdk")
    led = msgspec.structs.replace(STAGING, settings=msgspec.structs.replace(STAGING.settings, order_workflow="orchestration"))
    app.build(PRODUCTION, folder / "production").synth()
    app.build(led, folder / "staging").synth()
    app.build_delivery(app.Source(), [STAGING, PRODUCTION], folder / "delivery").synth()
    return {name: folder / name for name in ("production", "staging", "delivery")}


@pytest.fixture(scope="session")
def templates(assemblies: dict[str, Path]) -> dict[str, Templates]:
    """Stage → stack → template."""
    return {stage: read(folder) for stage, folder in assemblies.items()}
