"""``python -m tests.infra.snapshots``: writes the templates down again, after a change that is meant."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.infra.templates import Template, read

SNAPSHOTS = Path(__file__).parent / "synthesized"


def synthesize(folder: Path) -> dict[str, Path]:
    """Stage → the folder of its assembly: production, staging led by the state machine, and the pipeline."""
    import msgspec

    from clickstream.infra import app
    from clickstream.infra.stages import PRODUCTION, STAGING

    led = msgspec.structs.replace(STAGING, settings=msgspec.structs.replace(STAGING.settings, order_workflow="orchestration"))
    app.build(PRODUCTION, folder / "production").synth()
    app.build(led, folder / "staging").synth()
    app.build_delivery(app.Source(), [STAGING, PRODUCTION], folder / "delivery").synth()
    return {name: folder / name for name in ("production", "staging", "delivery")}


def text_of(template: Template) -> str:
    return json.dumps(template, indent=1) + "\n"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        assemblies = synthesize(Path(folder))
        shutil.rmtree(SNAPSHOTS, ignore_errors=True)
        for stage, assembly in assemblies.items():
            (SNAPSHOTS / stage).mkdir(parents=True)
            for name, template in read(assembly).items():
                (SNAPSHOTS / stage / f"{name}.json").write_text(text_of(template))
    sys.stderr.write(f"{SNAPSHOTS}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
