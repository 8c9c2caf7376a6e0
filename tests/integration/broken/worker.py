"""``python -m tests.integration.broken.worker VARIANT``: KCL's real worker with an analytics that is broken on purpose."""

from __future__ import annotations

import sys

import msgspec
import structlog

from clickstream.consumers.runtime.worker.daemon import folder_of, forked, run
from clickstream.consumers.runtime.worker.properties import WorkerPlan
from clickstream.platform import SHARDS
from clickstream.settings import from_env


def main(variant: str) -> int:
    settings = from_env()
    application = settings.application("analytics")
    directory = folder_of(settings) / f"{variant}.shards"
    # shards' processes are forks of this one, so this is where another application comes in
    zygote = (sys.executable, "-m", "tests.integration.broken.zygote", variant, str(directory))
    plan = WorkerPlan(
        application=application,
        worker_id=f"{application}-{variant}",
        shards=msgspec.structs.replace(forked("analytics", directory), companion=zygote),
        tables=(SHARDS.of(settings),),
    )
    return run(plan, settings)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    sys.exit(main(sys.argv[1]))
