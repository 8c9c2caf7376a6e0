"""Aggregates of other writers, by aws-kinesis-agg: their members may have explicit hash keys, which ours never do."""

from __future__ import annotations

import sys
from collections.abc import Iterable


def aggregated(members: Iterable[tuple[str, str | None, bytes]]) -> bytes:
    """A record of these (partition key, explicit hash key, data), at least one."""
    path = sys.path[:]
    from aws_kinesis_agg.aggregator import RecordAggregator

    sys.path[:] = path  # its modules put their own folder there
    aggregator = RecordAggregator()
    for key, hash_key, data in members:
        assert aggregator.add_user_record(key, data, hash_key) is None, "it is full"
    encoded: bytes = aggregator.clear_and_get().get_contents()[2]
    return encoded
