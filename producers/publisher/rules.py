"""The publisher's rules, without I/O: routes events to shards, packs them, and says what to put when.

Time is an argument (seconds of any monotonic clock), calls are values. The I/O around it is ``producers.publisher.kinesis``.

What it keeps, whatever Kinesis answers:

- an accepted event is settled once: Delivered when Kinesis has it in a shard where every reader takes it, or Failed;
- the events of one user are in the stream in the order in which they were added, across retries and reshards: a lane (shard)
  has one record of a user in flight at a time, and a new shard map takes over only when the lanes that it ends are quiet;
- of a record that came to another shard than expected, the events that do not belong there are put again; a KPL aggregate
  with such an event whole, because KCL drops it whole.
"""

from collections.abc import Iterable, Sequence
from math import inf
from random import Random

import msgspec

from clickstream.errors import ClickstreamError, Forbidden, InvalidEvent, Rejected, RetryLater, Throttled, TooLarge
from clickstream.producers.publisher.lane import Lane
from clickstream.producers.publisher.limits import MAX_KEY_BYTES, MAX_KEY_CHARACTERS, Limits
from clickstream.producers.publisher.packing import Member
from clickstream.producers.publisher.puts import (
    Action,
    CallFailed,
    Counters,
    Delivered,
    Failed,
    Parcel,
    Placed,
    Put,
    PutResult,
    RefreshShardMap,
    Refused,
    Settled,
    into_calls,
)
from clickstream.records.routing import HashRange, Shard, ShardMap, hash_key


class Publisher:
    """Not thread-safe. Raises ValueError when ``shards`` do not cover the hash key space.

    ``wake_at`` is the moment at which ``due`` should be called next, infinity when nothing waits; any call may change it.
    """

    #: What an event costs in memory beside its key and data.
    MEMBER_BYTES = 256

    def __init__(self, shards: Iterable[Shard], limits: Limits | None = None, *, seed: int = 0) -> None:
        self.limits = limits or Limits()
        self.counters = Counters()
        self.wake_at = inf
        self.pending_bytes = 0
        """Memory of the pending events, which ``limits.buffer_bytes`` bounds."""
        self.refusal: ClickstreamError | None = None
        """Of the last call, the gravest; None when all was taken."""
        self._random = Random(seed)
        shards = list(shards)
        self._ranges: dict[str, HashRange] = {shard.shard_id: shard.hash_range for shard in shards}
        self._map = ShardMap(shards)
        self._next_map: ShardMap | None = None
        self._lanes = {shard.shard_id: Lane(shard, self.limits, self._random) for shard in self._map.shards}
        self._flushed = 0
        self._settled: list[Settled] = []
        self._refreshing = False
        self._refresh_at = inf
        self._refreshes = 0

    @property
    def pending(self) -> int:
        """Events accepted and not settled."""
        return self.counters.events - self.counters.delivered - self.counters.failed

    def add(self, key: str, data: bytes, now: float, token: object = None) -> bool:
        """Accept an event; False when the buffer is full (add it again once something was settled).

        Raises TooLarge, or InvalidEvent for a partition key that Kinesis does not take.
        """
        if not 0 < len(key) <= MAX_KEY_CHARACTERS:
            raise InvalidEvent(f"a partition key has 1 to {MAX_KEY_CHARACTERS} characters", "$.user_id")
        limit = self.limits.record_bytes
        if len(data) > limit - MAX_KEY_BYTES and len(data) + len(key.encode()) > limit:
            self.counters.too_large += 1
            raise TooLarge(f"an event of {len(data):,} bytes is over the record limit of {limit:,}")
        size = len(key) + len(data) + self.MEMBER_BYTES
        if self.pending_bytes + size > self.limits.buffer_bytes:
            return False
        self.pending_bytes += size
        self.counters.events = number = self.counters.events + 1
        member = Member(number, key, data, hash_key(key), now, token)
        lane = self._lane_of(member)
        if lane.enqueue(member):
            self._wake(lane)
        return True

    def flush(self, now: float) -> None:
        """Let the events added so far wait for no company."""
        self._flushed = self.counters.events
        self.wake_at = min(self.wake_at, now)

    def due(self, now: float) -> list[Action]:
        """The calls to make now. Each must be answered by ``on_result``, ``on_shard_map`` or ``on_shard_map_failed``."""
        actions: list[Action] = []
        if self._refresh_at <= now and not self._refreshing:
            self._refreshing = True
            actions.append(RefreshShardMap())
        parcels: list[Parcel] = []
        for lane in self._lanes.values():
            if lane.expires_at() <= now:
                self._fail(lane.expire(now), self._too_late())
            if lane.ready_at(self._flushed) <= now:
                parcels += lane.take(now)
        if parcels:
            for lane in self._lanes.values():
                if lane.joins_at(self._flushed) <= now:
                    parcels += lane.take(now)
        self._switch()
        actions += into_calls(parcels, self.limits)
        self._wake_all()
        return actions

    def on_result(self, put: Put, result: PutResult, now: float) -> None:
        """The answer to a Put. Raises ValueError when it has not one entry per record."""
        self.counters.calls += 1
        self._note(result)
        failed = self._on_call_failed(put, result) if isinstance(result, CallFailed) else self._on_outcomes(put, result, now)
        for shard_id in failed:
            self._lanes[shard_id].back_off(now)
        self._switch()
        self._wake_all()

    def on_shard_map(self, shards: Iterable[Shard], now: float) -> None:
        """The answer to a RefreshShardMap: all shards, closed ones too."""
        shards = list(shards)
        try:
            shard_map = ShardMap(shards)
        except ValueError:
            # taken in the middle of a reshard
            self.on_shard_map_failed(now)
            return
        self._refreshing = False
        self._refresh_at = inf
        self._ranges.update((shard.shard_id, shard.hash_range) for shard in shards)
        is_open = {shard.shard_id for shard in shard_map.shards}
        for lane in self._lanes.values():
            lane.leaving = lane.shard.shard_id not in is_open
            awaiting, lane.awaiting = lane.awaiting, []
            for parcel, placed in awaiting:
                self._judge(lane, parcel, placed)
        self._next_map = shard_map if is_open != self._lanes.keys() else None
        self._switch()
        if any(lane.awaiting or (lane.stale and not lane.leaving) for lane in self._lanes.values()):
            # the list is older than the reshard that a put has met
            self._refresh(now)
        else:
            self._refreshes = 0
        self._wake_all()

    def on_shard_map_failed(self, now: float) -> None:
        """The ListShards call failed; it will be due again."""
        self._refreshing = False
        self._refresh_at = inf
        self._refresh(now)
        self._wake_all()

    def settled(self) -> list[Settled]:
        """What was settled since the last call: Delivered for events that came with a token, Failed for any."""
        settled, self._settled = self._settled, []
        return settled

    # -- lanes and shard maps

    def _lane_of(self, member: Member) -> Lane:
        return self._lanes[self._map.shard_for(member.hash_key).shard_id]

    def _switch(self) -> None:
        """Let the next shard map take over, once no answer is outstanding for the lanes that it ends.

        Their events move to the new lanes in the order in which they were added, so no event of a user overtakes another.
        """
        if self._next_map is None or not all(lane.quiet for lane in self._lanes.values() if lane.leaving):
            return
        leaving = [lane for lane in self._lanes.values() if lane.leaving]
        moving = sorted((member for lane in leaving for member in lane.unsettled()), key=lambda member: member.number)
        self._map, self._next_map = self._next_map, None
        self._lanes = {
            shard.shard_id: self._lanes.get(shard.shard_id) or Lane(shard, self.limits, self._random)
            for shard in self._map.shards
        }
        for member in moving:
            self._lane_of(member).enqueue(member)

    def _refresh(self, now: float) -> None:
        """Ask for a shard map, later each time that asking did not help."""
        if self._refresh_at == inf:
            wait = min(1.0, 0.05 * 2**self._refreshes) * self._random.uniform(0.5, 1) if self._refreshes else 0.0
            self._refresh_at = now + wait
            self._refreshes = min(self._refreshes + 1, 8)

    # -- results

    def _note(self, result: PutResult) -> None:
        outcomes = [result] if isinstance(result, CallFailed) else result
        errors = [each.error for each in outcomes if not isinstance(each, Placed)]
        self.refusal = next((error for error in errors if isinstance(error, Forbidden)), errors[0] if errors else None)

    def _too_late(self) -> RetryLater:
        reason = f"not accepted by the stream within {self.limits.time_to_live:g} s"
        if isinstance(self.refusal, Forbidden):
            return Forbidden(f"{reason}: {self.refusal}", action=self.refusal.action, resource=self.refusal.resource)
        return RetryLater(f"{reason}: {self.refusal}" if self.refusal else reason)

    def _on_call_failed(self, put: Put, failure: CallFailed) -> dict[str, None]:
        """The shards whose lanes have to back off (a dict, for its order)."""
        failed: dict[str, None] = {}
        never = isinstance(failure.error, Rejected)
        for parcel in put.parcels:
            lane = self._lanes[parcel.shard_id]
            lane.answered(parcel)
            self.counters.throttled += isinstance(failure.error, Throttled)
            if never and len(put.parcels) == 1:
                self._fail(parcel.members, failure.error)
                continue
            # when the call will never do, one record may have spoilt it for all: alone, each meets its own fate
            parcel = msgspec.structs.replace(parcel, alone=True) if never else parcel
            lane.retry.append(parcel)
            self.counters.retried += 1
            failed[parcel.shard_id] = None
        return failed

    def _on_outcomes(self, put: Put, outcomes: list[Placed | Refused], now: float) -> dict[str, None]:
        failed: dict[str, None] = {}
        for parcel, outcome in zip(put.parcels, outcomes, strict=True):
            lane = self._lanes[parcel.shard_id]
            lane.answered(parcel)
            if isinstance(outcome, Placed):
                self._on_placed(lane, parcel, outcome, now)
            elif isinstance(outcome.error, Rejected):
                self._fail(parcel.members, outcome.error)
            else:
                lane.retry.append(parcel)
                self.counters.throttled += isinstance(outcome.error, Throttled)
                self.counters.retried += 1
                failed[parcel.shard_id] = None
        return failed

    def _on_placed(self, lane: Lane, parcel: Parcel, placed: Placed, now: float) -> None:
        self.counters.records += 1
        self.counters.bytes += len(parcel.data)
        lane.succeeded()
        if placed.shard_id == lane.shard.shard_id:
            self._deliver(parcel, placed)
            return
        self.counters.mispredicted += 1
        lane.stale = True
        self._judge(lane, parcel, placed)
        if not lane.leaving or lane.awaiting:
            self._refresh(now)

    def _judge(self, lane: Lane, parcel: Parcel, placed: Placed) -> None:
        """Whether a record that came to another shard than expected counts there."""
        actual = self._ranges.get(placed.shard_id)
        if actual is None:
            lane.awaiting.append((parcel, placed))
            return
        foreign = tuple(member for member in parcel.members if member.hash_key not in actual)
        if foreign and parcel.records == "kpl":
            foreign = parcel.members
        if foreign:
            self.counters.reput += len(foreign)
            lane.retry.append(parcel.of(foreign))
        if len(foreign) < len(parcel.members):
            self._deliver(parcel.of(tuple(member for member in parcel.members if member.hash_key in actual)), placed)

    def _deliver(self, parcel: Parcel, placed: Placed) -> None:
        self.counters.delivered += len(parcel.members)
        self._release(parcel.members)
        shard_id, sequence_number = placed.shard_id, placed.sequence_number
        self._settled += [
            Delivered(member.token, shard_id, sequence_number) for member in parcel.members if member.token is not None
        ]

    def _fail(self, members: Sequence[Member], error: ClickstreamError) -> None:
        self.counters.failed += len(members)
        self._release(members)
        self._settled += [Failed(member.token, member.key, member.data, error) for member in members]

    def _release(self, members: Sequence[Member]) -> None:
        self.pending_bytes -= sum([len(member.key) + len(member.data) + self.MEMBER_BYTES for member in members])

    # -- time

    def _wake(self, lane: Lane) -> None:
        self.wake_at = min(self.wake_at, lane.ready_at(self._flushed), lane.expires_at())

    def _wake_all(self) -> None:
        self.wake_at = inf if self._refreshing else self._refresh_at
        for lane in self._lanes.values():
            self._wake(lane)
