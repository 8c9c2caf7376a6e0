"""``aggregate`` and ``deaggregate``: the KPL codec, both ways, on the same user records and the same size limit."""

from __future__ import annotations

import time

from clickstream import aggregation, events
from clickstream.aggregation import Aggregate
from load.benchmarks.measure import Benchmark
from load.benchmarks.sample import sample_events

_COUNT = 40_000
#: KPL's default size of an aggregate, in bytes.
_LIMIT = 51_200
#: More user records than fit into one aggregate, so that ``fill`` always ends by its limit.
_AT_MOST = 400
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

    def ours() -> float:
        started = time.perf_counter()
        _aggregates(records)
        return _COUNT / (time.perf_counter() - started)

    def peer() -> float:
        started = time.perf_counter()
        collecting = aggregator.RecordAggregator(_LIMIT)
        for key, data in records:
            if (full := collecting.add_user_record(key, data)) is not None:
                full.get_contents()
        if (rest := collecting.clear_and_get()) is not None:
            rest.get_contents()
        return _COUNT / (time.perf_counter() - started)

    return Benchmark(
        id="aggregate",
        what="user records into aggregates of 51,200 bytes, encoded",
        unit="records/s",
        aim="≥ 4x",
        peer_name=_PEER,
        fairness="The same records and limit; ours counts to the byte, the peer estimates and stops earlier.",
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

    def ours() -> float:
        started = time.perf_counter()
        count = sum(len(aggregation.decode(data)) for data in aggregates)
        assert count == _COUNT
        return count / (time.perf_counter() - started)

    def peer() -> float:
        started = time.perf_counter()
        count = sum(1 for _ in deaggregator.iter_deaggregate_records(records, data_format="Boto3"))
        assert count == _COUNT
        return count / (time.perf_counter() - started)

    return Benchmark(
        id="deaggregate",
        what="aggregates of 51,200 bytes into user records",
        unit="records/s",
        aim="≥ 4x",
        peer_name=_PEER,
        fairness="The same aggregates; both check the MD5; the peer builds a dict per record, its data in base64 again.",
        ours=ours,
        peer=peer,
    )
