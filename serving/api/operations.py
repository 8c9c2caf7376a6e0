"""The table of operations: everything that the JSON API answers, in the order of the OpenAPI document."""

from __future__ import annotations

from typing import NamedTuple

from serving.api import aggregates, explain, fraud, progress, recommendations
from serving.api.operation import Operation
from serving.progress import ProgressReader
from serving.read_model import ReadModel

OPERATIONS: tuple[Operation, ...] = (
    aggregates.AGGREGATES,
    progress.PROGRESS,
    fraud.DECIDED,
    fraud.ALERTS,
    fraud.DECISION,
    recommendations.OF_VISITOR,
    recommendations.OF_SESSION,
    explain.EXPLAIN,
)


class Readers(NamedTuple):
    """What answers; without one of them, its operations are not offered."""

    windows: ReadModel
    progress: ProgressReader
    risk: fraud.Risk | None = None
    visitors: recommendations.Visitors | None = None
    searches: explain.Searches | None = None


def offered(readers: Readers) -> list[Operation]:
    return [operation for operation in OPERATIONS if getattr(readers, operation.reader) is not None]
