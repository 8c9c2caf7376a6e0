"""The events on their way to one shard, in order, and when the next of them may be put."""

from collections import deque
from itertools import islice
from math import inf
from random import Random

from clickstream.producers.publisher.limits import Limits, Pace
from clickstream.producers.publisher.packing import Member, Records, together
from clickstream.producers.publisher.puts import Parcel, Placed
from clickstream.records.routing import Shard


class Lane:
    """At most one record of a user is in flight, so a retry never lets a later event of that user overtake.

    One record of several events is in flight at a time; single ones go together while their partition keys differ.
    What failed is put again, alone, before anything from the queue.
    """

    #: Plain records of one shard in one call, and their bytes: a tenth of a second's worth.
    PLAIN_RECORDS = 100
    PLAIN_BYTES = 100_000
    #: How far into the queue to look for plain records with other keys.
    PLAIN_SEARCH = 1_000

    def __init__(self, shard: Shard, limits: Limits, random: Random) -> None:
        self.shard = shard
        self.queue: deque[Member] = deque()
        self.queued_bytes = 0
        self.retry: list[Parcel] = []
        self.awaiting: list[tuple[Parcel, Placed]] = []
        """Put to a shard whose range is not known yet."""
        self.in_flight = 0
        self.stale = False
        """A put for this shard came to another one: the shard is closed, and the lane stands until a shard map says so."""
        self.leaving = False
        """A shard map without this shard is waiting for the lane to be quiet."""
        self._limits = limits
        self._records: Records = limits.records or "zstd"
        self._full_bytes = limits.full_bytes
        self._random = random
        self._pace = Pace(limits)
        self._taken_at = -inf
        self._failures = 0
        self._not_before = -inf

    # -- the queue

    def enqueue(self, member: Member) -> bool:
        """True when this event may have made the lane ready earlier than it was: its first, or the one that fills a record."""
        before = self.queued_bytes
        self.queue.append(member)
        self.queued_bytes = after = before + len(member.data)
        count = len(self.queue)
        return count == 1 or before < self._full_bytes <= after or count == self._limits.pack_lines

    def unsettled(self) -> list[Member]:
        """All events of a quiet lane."""
        return [member for parcel in self.retry for member in parcel.members] + list(self.queue)

    def expire(self, now: float) -> list[Member]:
        """Take out the events whose time is over, unless they are in flight."""
        expired: list[Member] = []
        while self.queue and self._over(self.queue[0], now):
            expired += self._pop(1)
        if any(self._over(parcel.members[0], now) for parcel in self.retry):
            parcels, self.retry = self.retry, []
            for parcel in parcels:
                rest = tuple(member for member in parcel.members if not self._over(member, now))
                expired += parcel.members[: len(parcel.members) - len(rest)]
                if rest:
                    self.retry.append(parcel.of(rest))
        for waiting in [each for each in self.awaiting if self._over(each[0].members[0], now)]:
            # an event cannot be taken out of a record that is in the stream already
            self.awaiting.remove(waiting)
            expired += waiting[0].members
        return expired

    def _over(self, member: Member, now: float) -> bool:
        # the same sum as in expires_at, so that a clock which stands at expires_at is past it
        return member.added_at + self._limits.time_to_live <= now

    # -- when

    @property
    def quiet(self) -> bool:
        return not self.in_flight and not self.awaiting

    def ready_at(self, flushed: int) -> float:
        """When the next put may be made; events up to number ``flushed`` wait for no company."""
        return self._ready_at(flushed, self._limits.linger)

    def joins_at(self, flushed: int) -> float:
        """When the next put may share a call that another lane makes anyway: after half of the linger.

        A call costs more than it carries; so the lanes of little traffic come to go together.
        """
        return self._ready_at(flushed, self._limits.linger / 2)

    def _ready_at(self, flushed: int, linger: float) -> float:
        if self.in_flight or self.awaiting or self.stale or self.leaving:
            return inf
        if self.retry:
            return max(self._not_before, self._pace.free_at)
        if not self.queue:
            return inf
        first = self.queue[0]
        full = self.queued_bytes >= self._full_bytes or len(self.queue) >= self._limits.pack_lines
        lingers = 0.0 if full or first.number <= flushed else linger
        return max(first.added_at + lingers, self._not_before, self._pace.free_at)

    def expires_at(self) -> float:
        """When ``expire`` may have something to take out."""
        oldest = min(
            [parcel.members[0].added_at for parcel in self.retry]
            + [parcel.members[0].added_at for parcel, _ in self.awaiting]
            + [self.queue[0].added_at if self.queue else inf]
        )
        return oldest + self._limits.time_to_live

    def back_off(self, now: float) -> None:
        """After a failure: wait, longer with each in a row, with jitter so that many publishers do not come back at once."""
        longest = min(self._limits.backoff_limit, self._limits.backoff * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        self._not_before = now + self._random.uniform(longest / 2, longest)

    def succeeded(self) -> None:
        self._failures = 0
        self._not_before = -inf

    # -- what

    def take(self, now: float) -> list[Parcel]:
        """The records to put now; call it when ``ready_at`` has come."""
        if self.retry:
            parcels, self.retry = self.retry, []
        elif self._records == "single":
            parcels = [self._pack((member,)) for member in self._take_distinct()]
        else:
            count = together(self.queue, self._records, self._full_bytes, self._limits.pack_lines)
            parcels = [self._pack(self._pop(count))]
        self.in_flight += len(parcels)
        self._taken_at = now
        return parcels

    def answered(self, parcel: Parcel) -> None:
        """The call with this record is over. Only now its size must be known: it is packed by who makes the call."""
        self.in_flight -= 1
        self._pace.spend(parcel.size, self._taken_at)

    def _pop(self, count: int) -> tuple[Member, ...]:
        members = tuple([self.queue.popleft() for _ in range(count)])
        self.queued_bytes -= sum([len(member.data) for member in members])
        return members

    def _take_distinct(self) -> list[Member]:
        """The first events of as many users as go into one call; each user's later events keep their places."""
        taken: list[Member] = []
        passed: list[Member] = []
        seen: set[str] = set()
        size = 0
        for member in islice(self.queue, self.PLAIN_SEARCH):
            size += len(member.key) + len(member.data)
            if taken and size > self.PLAIN_BYTES:
                break
            if member.key in seen:
                passed.append(member)
            else:
                seen.add(member.key)
                taken.append(member)
                if len(taken) == self.PLAIN_RECORDS:
                    break
        self._pop(len(taken) + len(passed))
        self.queue.extendleft(reversed(passed))
        self.queued_bytes += sum(len(member.data) for member in passed)
        return taken

    def _pack(self, members: tuple[Member, ...]) -> Parcel:
        return Parcel(self.shard.shard_id, members, self._records)
