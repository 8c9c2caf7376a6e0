"""``python -m tests.integration.broken.worker VARIANT``: KCL's real worker with an analytics that is broken on purpose."""

from __future__ import annotations

import sys

import structlog

from clickstream.application import Application
from clickstream.consumers.runtime.worker import child
from clickstream.consumers.runtime.worker.daemon import folder_of, forked, run
from clickstream.consumers.runtime.worker.properties import WorkerPlan
from clickstream.platform import SHARDS
from clickstream.settings import from_env
from tests.integration.broken.folds import VARIANTS, Broken


def main(variant: str) -> int:
    settings = from_env()
    application = settings.application("analytics")
    directory = folder_of(settings) / f"{variant}.shards"

    def load(name: str) -> Application:
        return Broken(VARIANTS[variant])

    # the shards' processes are forks of this one
    child.load_application = load
    plan = WorkerPlan(
        application=application,
        worker_id=f"{application}-{variant}",
        shards=forked("analytics", directory),
        tables=(SHARDS.of(settings),),
    )
    return run(plan, settings)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    sys.exit(main(sys.argv[1]))
