"""Runs ``sample_processor.py`` under our launcher: ``… sample_worker WORKER NOTES LOOP [RETRIEVAL]``, as a module."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import structlog

from clickstream.consumers.runtime.worker.daemon import run
from clickstream.consumers.runtime.worker.properties import Retrieval, ShardProcesses, WorkerPlan
from clickstream.settings import from_env


def worker(worker_id: str, notes: str, loop: str, retrieval: str = "polling") -> int:
    settings = from_env()
    plan = WorkerPlan(
        application=settings.application("sample"),
        worker_id=worker_id,
        shards=ShardProcesses(command=(sys.executable, str(Path(__file__).with_name("sample_processor.py")), notes, loop)),
        retrieval=cast(Retrieval, retrieval),
    )
    return run(plan, settings)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    sys.exit(worker(*sys.argv[1:]))
