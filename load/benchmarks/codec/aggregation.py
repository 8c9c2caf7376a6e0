"""``aggregate`` and ``deaggregate``: the KPL codec, both ways, on the same user records and the same size limit."""

from __future__ import annotations

from clickstream import events
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, cpu_rate
from clickstream.load.benchmarks.harness.sample import sample_events
from clickstream.records import aggregation
from clickstream.records.aggregation import Aggregate

_COUNT = 40_000
#: KPL's default size of an aggregate, in bytes.
_LIMIT = 51_200
#: More user records than fit into one aggregate, so that ``fill`` always ends by its limit.
_AT_MOST = 400
#: Ours is done in a fiftieth of a second otherwise, which is too short to time.
_OURS_REPEATED = 5
_PEER = "aws-kinesis-agg 1.2.3"


def _records() -> list[tuple[str, bytes]]:
    return [(event.user_id, events.encode(event)) for event in sample_events(_COUNT)]


def _aggregates(records: list[tuple[str, bytes]]) -> list[bytes]:
    made = []
    start = 0
    while start < len(records):
        aggregate = Aggregate(_LIMIT)
        start += aggregate.fill(records[start : start + _AT_MOST])
        made.append(aggregate.encode())
    return made


def aggregate() -> Benchmark:
    from aws_kinesis_agg import aggregator

    records = _records()

    def ours() -> Reading:
        def work() -> None:
            for _ in range(_OURS_REPEATED):
                _aggregates(records)

        return cpu_rate(_COUNT * _OURS_REPEATED, work)

    def peer() -> Reading:
        def work() -> None:
            collecting = aggregator.RecordAggregator(_LIMIT)
            for key, data in records:
                if (full := collecting.add_user_record(key, data)) is not None:
                    full.get_contents()
            if (rest := collecting.clear_and_get()) is not None:
                rest.get_contents()

        return cpu_rate(_COUNT, work)

    return Benchmark(
        id="aggregate",
        what="user records into aggregates of 51,200 bytes, encoded",
        unit="records/s",
        aim="≥ 4x",
        least=4,
        peer_name=_PEER,
        fairness="The same records in the same order, the same limit, no explicit hash keys; both write the MD5. Ours counts "
        "the size to the byte; the peer estimates it, and copies each full record before handing it out.",
        clock="CPU",
        ours=ours,
        peer=peer,
    )


def deaggregate() -> Benchmark:
    from aws_kinesis_agg import deaggregator

    aggregates = _aggregates(_records())
    # as boto3's GetRecords returns them
    records = [
        {"Data": data, "PartitionKey": "a", "SequenceNumber": "1", "ApproximateArrivalTimestamp": 0} for data in aggregates
    ]

    def ours() -> Reading:
        def work() -> None:
            for _ in range(_OURS_REPEATED):
                count = sum(len(aggregation.decode(data)) for data in aggregates)
                assert count == _COUNT

        return cpu_rate(_COUNT * _OURS_REPEATED, work)

    def peer() -> Reading:
        def work() -> None:
            count = sum(1 for _ in deaggregator.iter_deaggregate_records(records, data_format="Boto3"))
            assert count == _COUNT

        return cpu_rate(_COUNT, work)

    return Benchmark(
        id="deaggregate",
        what="aggregates of 51,200 bytes into user records",
        unit="records/s",
        aim="≥ 4x",
        least=4,
        peer_name=_PEER,
        fairness="The same aggregates, the same protobuf library; both check the MD5. Ours yields tuples of key, hash key and "
        "data, all that a reader needs; the peer a dict per record, its data in base64 again whatever the format asked for.",
        clock="CPU",
        ours=ours,
        peer=peer,
    )
