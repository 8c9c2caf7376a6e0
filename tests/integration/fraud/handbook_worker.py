"""The handbook's application under our launcher: ``python -m tests.integration.fraud.handbook_worker FOLDER WORKER``."""

from __future__ import annotations

import sys

import structlog

from clickstream.consumers.runtime.worker.daemon import folder_of, forked, run
from clickstream.consumers.runtime.worker.properties import WorkerPlan
from clickstream.settings import from_env
from tests.integration.fraud.handbook_stream import NAME


def worker(folder: str, name: str) -> int:
    settings = from_env()
    application = settings.application(NAME)
    worker_id = f"{application}-{name}"
    shards = forked(f"tests.integration.fraud.handbook_stream@{folder}", folder_of(settings) / f"{worker_id}.shards")
    return run(WorkerPlan(application=application, worker_id=worker_id, shards=shards), settings)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    sys.exit(worker(*sys.argv[1:]))
