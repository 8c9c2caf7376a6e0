"""What happens in one world, drawn from its seed: how large it is, what it does, and how often which fault strikes."""

from __future__ import annotations

from random import Random
from typing import Literal

import msgspec

from clickstream.producers.publisher.packing import Records

#: The default comes most often.
KINDS: tuple[Records, ...] = ("zstd", "zstd", "gzip", "ndjson", "kpl", "single")
RangeFilter = Literal["on", "off", "late"]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Rates are shares of the calls; numbers of faults are for the whole run. Zero switches a fault off."""

    seed: int
    # the world
    shards: int = 2
    workers: int = 2
    records: tuple[Records, ...] = ("zstd",)
    """How each publisher writes: a stream may hold all kinds."""
    users: int = 6
    events: int = 100
    application: Literal["history", "analytics", "own"] = "history"
    """``own``: a foreign one."""
    pipelined: float = 0.5
    """Share of the users that do not wait for one acknowledgement before they send the next event."""
    burst: int = 1
    """A user that does not wait sends so many events at once."""
    get_records: int = 50
    """Most Kinesis records of one GetRecords."""
    poll_ms: int = 700
    """Between two reads of a shard that had nothing new."""
    range_filter: RangeFilter = "late"
    """KCL's hash-range filter: on, off, or on some time after a consumer's start, as for fresh children."""
    graceful_handoff: bool = False
    effects_interval_ms: int = 200
    commit_interval_ms: int = 500
    checkpoint_interval_ms: int = 1_000
    window_events: int = 100_000
    slice_bytes: int = 1024 * 1024
    """Text of a batch that is folded in one go."""
    fold_ms: int = 0
    """Folding a slice takes up to so long."""
    longest_chain: int = 64
    """Commits until a full snapshot replaces the chain (clickstream.consumers.runtime.state.chain.LONGEST_CHAIN)."""
    # faults of the write side
    client_retries: float = 0.0
    """Share of the events that the client sends again although it has its acknowledgement."""
    put_lost: float = 0.0
    """PutRecords was carried out, its answer was lost."""
    put_failed: float = 0.0
    put_partial: float = 0.0
    put_throttled: float = 0.0
    put_rejected: float = 0.0
    """The whole call is refused for good."""
    put_forbidden: float = 0.0
    """The whole call is refused because of who makes it."""
    reused_ids: float = 0.0
    """Share of the events whose id another user has used before."""
    scatter_ms: int = 90_000
    """Events have happened up to this long before they are sent."""
    unwritable: float = 0.0
    """Share of the purchases whose decision the store refuses for ever."""
    breakers: int = 0
    """Events that the application cannot take: its fold or its sink raises."""
    publisher_crashes: int = 0
    poison: int = 0
    """Records that are no event, and events under a wrong key."""
    raw: int = 0
    """Records that other programs make: blocks with rubbish among their lines, damaged and hostile ones."""
    reshards: int = 0
    stale_listing: float = 0.0
    # faults of the read side
    iterator_expired: float = 0.0
    read_throttled: float = 0.0
    checkpoint_failed: float = 0.0
    steals: float = 0.0
    """Chance at each look at the lease table to steal a lease although nothing is wrong."""
    # faults of the stores
    store_failed: float = 0.0
    store_lost: float = 0.0
    """The write was made, its answer was lost."""
    outages: int = 0
    bans: int = 0
    """Times that something is forbidden for a while: a permission is gone, a key is disabled, credentials have expired."""
    slow: float = 0.0
    """Share of the calls that take a hundred times as long."""
    # faults of the processes
    crash_step: float = 0.0
    """Chance of a crash right before, and right after, any write to a store."""
    crashes: int = 0
    """Of a child, a worker or the whole fleet, at any moment."""
    stops: int = 0
    """Processes stopped (as by SIGSTOP) and continued when their leases may have gone: zombies."""
    orphans: bool = False
    """Children outlive their worker until they notice."""
    skew_ms: int = 0
    """Machines' clocks are off by up to this much."""
    clock_steps: int = 0
    """Times that a machine's clock is set back or forward by an hour, and put right again."""


FAULTS = (
    *("client_retries", "put_lost", "put_failed", "put_partial", "put_throttled", "put_rejected", "publisher_crashes"),
    *("put_forbidden", "reused_ids", "unwritable", "breakers", "bans", "clock_steps"),
    *("poison", "raw", "reshards", "stale_listing", "iterator_expired", "read_throttled", "checkpoint_failed", "steals"),
    *("store_failed", "store_lost", "outages", "slow", "crash_step", "crashes", "stops", "orphans", "skew_ms"),
)


def draw(seed: int) -> Plan:
    """A small world with some of the faults: many different worlds find more than one that has everything."""
    random = Random(seed)

    def some(chance: float, most: float) -> float:
        return round(random.uniform(0.1, 1) * most, 4) if random.random() < chance else 0.0

    def few(chance: float, most: int) -> int:
        return random.randint(1, most) if random.random() < chance else 0

    return Plan(
        seed=seed,
        shards=random.choice((1, 2, 2, 3, 4)),
        workers=random.choice((1, 2, 2, 3)),
        records=tuple(random.choice(KINDS) for _ in range(random.choice((1, 1, 2, 3)))),
        users=random.randint(2, 10),
        events=random.randint(60, 160),
        application="analytics" if random.random() < 0.15 else "history",
        pipelined=random.choice((0.0, 0.5, 1.0, 1.0)),
        burst=random.choice((1, 5, 20)),
        get_records=random.choice((1, 3, 10, 50, 500)),
        poll_ms=random.choice((700, 700, 5_000)),
        range_filter=random.choice(("on", "off", "late", "late")),
        graceful_handoff=random.random() < 0.4,
        effects_interval_ms=random.choice((0, 200, 1_000, 10_000)),
        commit_interval_ms=random.choice((0, 200, 500, 2_000)),
        checkpoint_interval_ms=random.choice((0, 500, 3_000)),
        window_events=random.choice((3, 20, 100_000)),
        slice_bytes=random.choice((1, 500, 3_000, 1024 * 1024)),
        fold_ms=random.choice((0, 0, 30, 500)),
        longest_chain=random.choice((1, 4, 64)),
        client_retries=some(0.4, 0.2),
        put_lost=some(0.4, 0.2),
        put_failed=some(0.3, 0.3),
        put_partial=some(0.4, 0.4),
        put_throttled=some(0.3, 0.3),
        put_rejected=some(0.2, 0.1),
        put_forbidden=some(0.2, 0.2),
        reused_ids=some(0.3, 0.3),
        scatter_ms=random.choice((90_000, 1_000, 3 * 3_600_000, 2 * 86_400_000)),
        unwritable=some(0.3, 0.3),
        breakers=few(0.2, 3),
        publisher_crashes=few(0.3, 2),
        poison=few(0.5, 8),
        raw=few(0.6, 12),
        reshards=few(0.6, 4),
        stale_listing=some(0.3, 0.4),
        iterator_expired=some(0.3, 0.2),
        read_throttled=some(0.3, 0.3),
        checkpoint_failed=some(0.4, 0.4),
        steals=some(0.4, 0.3),
        store_failed=some(0.5, 0.3),
        store_lost=some(0.5, 0.2),
        outages=few(0.3, 2),
        bans=few(0.4, 3),
        slow=some(0.4, 0.2),
        crash_step=some(0.5, 0.02),
        crashes=few(0.5, 4),
        stops=few(0.5, 3),
        orphans=random.random() < 0.5,
        skew_ms=random.choice((0, 0, 50, 5_000, 60_000)),
        clock_steps=few(0.3, 3),
    )


def draw_own(seed: int) -> Plan:
    """The same for a foreign application: without what only ours can be asked for.

    KCL's range filter is off, as in production, so that it is certain which events count.
    """
    return msgspec.structs.replace(draw(seed), application="own", range_filter="off", unwritable=0.0, breakers=0)
