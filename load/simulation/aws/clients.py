"""All simulated services of one process."""

from __future__ import annotations

from typing import Any

import msgspec

from clickstream.load.simulation.aws.queues import Sns, Sqs, Webhooks
from clickstream.load.simulation.aws.stores import S3, DynamoDb, NotSimulated, Stores, Way


class SimulatedClients(msgspec.Struct, frozen=True):
    """Stands where ``clickstream.aws.Clients`` stands."""

    dynamodb: DynamoDb
    s3: S3
    sqs: Sqs
    sns: Sns
    webhooks: Webhooks

    @classmethod
    def of(cls, stores: Stores, access: Way) -> SimulatedClients:
        parts = (DynamoDb, S3, Sqs, Sns, Webhooks)
        return cls(*(part(stores, access) for part in parts))  # type: ignore[arg-type]  # each of its own type

    def __getattr__(self, service: str) -> Any:
        raise NotSimulated(service)
