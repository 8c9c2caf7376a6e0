"""The whole of Kinesis, for one account and region, as a pure state machine.

No clock, no I/O, no chance but from a seed: every operation takes the time of the call, so a simulator can drive it on virtual
time, and the server on the real one. Operations return values and raise :class:`~infra.local.kinesis.errors.KinesisError`.
"""

from __future__ import annotations

from infra.local.kinesis.consumer_operations import ConsumerOperations
from infra.local.kinesis.records import PutEntry, StartingPosition
from infra.local.kinesis.registry import ModelSettings
from infra.local.kinesis.reshard_operations import ShardFilter

__all__ = ["Kinesis", "ModelSettings", "PutEntry", "ShardFilter", "StartingPosition"]


class Kinesis(ConsumerOperations):
    """All operations.

    Records: ``put_record``, ``put_records``, ``get_shard_iterator``, ``get_records`` (record_operations.py).
    Shards: ``split_shard``, ``merge_shards``, ``update_shard_count``, ``list_shards`` (reshard_operations.py).
    Streams: ``create_stream`` … ``delete_stream``, descriptions (stream_operations.py); retention, mode, record size,
    encryption, monitoring (setting_operations.py); tags, policies (tag_operations.py).
    Fan-out: ``register_consumer``, ``subscribe``, ``next_event`` … (consumer_operations.py).
    Faults: ``faults.inject``.
    """
