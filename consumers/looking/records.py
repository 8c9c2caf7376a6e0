"""What a shard's process makes of a Kinesis record, for readers that only look at the stream.

One rule, in the shard loop's own code: KCL delivers a sound aggregate's members and anything else as it is (its hash range
filter is off, docs/decisions/0009), a record of its own may hold an event to each line, decoding rejects what is no event, and
an event counts in its user's home shard alone.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from clickstream.consumers.runtime.loop.decoding import Home, Rejection, decode
from clickstream.consumers.runtime.loop.opening import Opened, expanded
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.events import AnyEvent
from clickstream.records.aggregation import user_records
from clickstream.records.routing import Shard


class Look(NamedTuple):
    """A record or line, and what becomes of it. ``at_home`` is False of an event that its shard refuses for another's."""

    record: Record
    event: AnyEvent | Rejection
    at_home: bool = True


def delivered(record: dict[str, Any]) -> Sequence[Record]:
    """The events of a Kinesis record (a dict as boto3 has it), and what else stands in it as one."""
    arrived_ms = int(record["ApproximateArrivalTimestamp"].timestamp() * 1000)
    members = [
        Record(
            data=member,
            partition_key=key,
            sequence_number=record["SequenceNumber"],
            sub_sequence_number=number,
            approximate_arrival_timestamp=arrived_ms,
        )
        for number, (key, _, member) in enumerate(user_records(record["PartitionKey"], record["Data"]))
    ]
    return members if len(members) > 1 else expanded(members[0])


def looked_at(records: Sequence[Record], shard: Shard) -> list[Look]:
    """What the process of ``shard`` makes of each record, in order; duplicates are not recognised."""
    home = Home(shard.hash_range)
    looks: list[Look] = []
    for record in records:
        found = decode([Opened(record, record.data)])
        if found.rejections:
            looks.append(Look(record, found.rejections[0]))
        else:
            looks.append(Look(record, found.events[0], at_home=not home.foreign(found.events.envelopes.user_ids)))
    return looks
