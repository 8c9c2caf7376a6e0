"""One look at a stream's load, for :mod:`clickstream.operating.advice`.

Kinesis has what arrived, the shards table how far each reader is. The last records of each shard are read here (a few
GetRecords calls, within the limit that polling workers share), so no metrics service is needed, and the keys are known.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import msgspec

from clickstream.aws import Clients
from clickstream.aws.boto_types import KinesisClient
from clickstream.errors import RetryLater
from clickstream.failures.outages import translated
from clickstream.operating.advice import Reader, ShardLag, ShardLoad, Situation, balance
from clickstream.progress.shards_table import ShardProgress, ShardsTable
from clickstream.records.aggregation import user_records
from clickstream.records.blocks import events_in
from clickstream.records.kinesis import list_shards
from clickstream.records.reading import Batch, ShardReader, Start
from clickstream.records.routing import Shard, hash_key
from clickstream.settings import Settings

#: GetRecords calls per shard and look: two of the five that a shard gives in a second, 10 MB each.
_READS = 4
_PAUSE_S = 0.5
_TRIES = 10


class Arrived(msgspec.Struct):
    """What came into a shard within ``seconds``: counted while it is read."""

    bytes: int = 0
    records: int = 0
    seconds: float = 0.0
    keys: dict[str, int] = msgspec.field(default_factory=dict)
    """Partition key → bytes."""


def look(
    clients: Clients,
    settings: Settings,
    *,
    window_s: float = 30.0,
    interval_s: float = 5.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Situation:
    """The load of the last ``window_s``, and the readers' lags ``interval_s`` apart. Raises Missing, RetryLater."""
    table = ShardsTable(clients, settings)
    shards = [shard for shard in list_shards(clients.kinesis, settings.stream) if shard.is_open]
    with translated("Kinesis"):
        summary = clients.kinesis.describe_stream_summary(StreamName=settings.stream)["StreamDescriptionSummary"]
    fan_out = summary.get("ConsumerCount", 0)
    before = table.read()
    arrived = {shard.shard_id: _arrived(clients.kinesis, settings.stream, shard, window_s, sleep) for shard in shards}
    sleep(interval_s)
    readers = readers_of(before, table.read(), {shard.shard_id for shard in shards}, time.time_ns() // 1_000_000)
    return Situation(
        on_demand=summary.get("StreamModeDetails", {}).get("StreamMode") == "ON_DEMAND",
        shards=tuple(load_of(shard, arrived[shard.shard_id]) for shard in shards),
        readers=readers,
        polling=max(0, len(readers) - fan_out),
        day=_day(clients, settings),
    )


def load_of(shard: Shard, arrived: Arrived) -> ShardLoad:
    """Rates, the heaviest key, and where the shard is best divided. Pure."""
    per_s = 1 / arrived.seconds if arrived.seconds else 0.0
    heaviest = max(arrived.keys.items(), key=itemgetter(1), default=None)
    return ShardLoad(
        shard=shard,
        bytes_per_s=arrived.bytes * per_s,
        records_per_s=arrived.records * per_s,
        heaviest=heaviest and (heaviest[0], heaviest[1] / sum(arrived.keys.values())),
        balance=balance([(int.from_bytes(hash_key(key), "big"), weight) for key, weight in arrived.keys.items()]),
    )


def readers_of(
    before: Sequence[ShardProgress], after: Sequence[ShardProgress], open_shards: set[str], now_ms: int
) -> tuple[Reader, ...]:
    """The applications by two readings of the shards table. Pure."""
    lags: dict[str, list[ShardLag]] = defaultdict(list)
    alive: dict[str, set[str]] = defaultdict(set)
    known = {(each.application, each.shard): each for each in before}
    for each in after:
        if each.shard not in open_shards or each.retired:
            continue
        if each.owner and not each.silent_ms(now_ms):
            alive[each.application].add(each.owner)
        before_ms = known.get((each.application, each.shard), each).behind_ms or 0
        behind_ms = each.lag_ms(now_ms) or 0
        lags[each.application].append(ShardLag(shard_id=each.shard, owner=each.owner, behind_ms=behind_ms, before_ms=before_ms))
    return tuple(Reader(application=name, workers=len(alive[name]), lags=tuple(found)) for name, found in lags.items())


def _arrived(client: KinesisClient, stream: str, shard: Shard, window_s: float, sleep: Callable[[float], None]) -> Arrived:
    """The records of the last ``window_s``, or of as much of it as a few reads reach."""
    start = Start("AT_TIMESTAMP", datetime.now(UTC) - timedelta(seconds=window_s))
    reader = ShardReader(client, stream, shard, start)
    arrived = Arrived(seconds=window_s)
    for _ in range(_READS):
        batch = _read(reader, sleep)
        count(arrived, batch.records)
        if batch.behind_ms == 0 or reader.ended:
            return arrived
        arrived.seconds = max(1.0, window_s - batch.behind_ms / 1000)
        sleep(_PAUSE_S)
    return arrived


def _read(reader: ShardReader, sleep: Callable[[float], None]) -> Batch:
    """One read among those of the workers that poll: Kinesis refuses the sixth in a second, which is then repeated."""
    for _ in range(_TRIES):
        batch = reader.read()
        if batch is not None:
            return batch
        sleep(_PAUSE_S)
    raise RetryLater("the shards' reads are taken by the workers that poll: try again, or give some of them fan-out")


def count(arrived: Arrived, records: Sequence[Mapping[str, Any]]) -> None:
    """Add records as GetRecords gives them; each counts once, the events in it by their users, unpacked. Pure."""
    for record in records:
        data = bytes(record["Data"])
        arrived.records += 1
        arrived.bytes += len(data) + len(record["PartitionKey"].encode())
        for key, _, content in user_records(record["PartitionKey"], data):
            found = events_in(content)
            for _, event in found:
                user = key if len(found) == 1 else _user_in(event) or key
                arrived.keys[user] = arrived.keys.get(user, 0) + max(1, len(event))  # Kinesis takes empty data


class _OnlyUser(msgspec.Struct):
    user_id: str


def _user_in(event: bytes) -> str | None:
    try:
        return msgspec.json.decode(event, type=_OnlyUser).user_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _day(clients: Clients, settings: Settings) -> tuple[float, float] | None:
    """Mean and highest hourly rate of 24 hours by CloudWatch; None where it has nothing, as on the embedded AWS."""
    end = datetime.now(UTC)
    with translated("CloudWatch"):
        points = clients.cloudwatch.get_metric_statistics(
            Namespace="AWS/Kinesis",
            MetricName="IncomingBytes",
            Dimensions=[{"Name": "StreamName", "Value": settings.stream}],
            StartTime=end - timedelta(days=1),
            EndTime=end,
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
    sums = [point["Sum"] for point in points]
    return (sum(sums) / 86_400, max(sums) / 3600) if sums else None
