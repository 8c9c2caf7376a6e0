"""One suite for both snapshot stores: the real one on DynamoDB and S3 (moto), and the one in memory that simulations use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.consumers.runtime.faults.stumbling import Stumble
from clickstream.consumers.runtime.state.snapshots import Commit, Progress, SnapshotStore, Store
from clickstream.errors import Fenced, Stop
from clickstream.load.simulation.aws.memory import MemoryStore
from clickstream.platform import SHARDS, STATE
from clickstream.progress.completeness import Arrival
from clickstream.records.position import START, Position
from clickstream.settings import Settings

SHARD = "shardId-000000000000"


class Owners(Protocol):
    """Makes the store as one owner sees it."""

    def __call__(self, owner: str) -> Store: ...


@pytest.fixture(params=["memory", "aws"])
def store_of(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Owners]:
    if request.param == "memory":
        yield MemoryStore("").of
        return
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "test")
    settings = Settings()
    with mock_aws():
        clients = Clients(settings)
        clients.s3.create_bucket(Bucket=STATE.of(settings))
        clients.dynamodb.create_table(
            TableName=SHARDS.of(settings),
            KeySchema=[
                {"AttributeName": "application", "KeyType": "HASH"},
                {"AttributeName": "shard", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "application", "AttributeType": "S"},
                {"AttributeName": "shard", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield lambda owner: SnapshotStore("counting", owner, clients, settings)


def commit(sequence: int, state: bytes, *, full: bool = False, ended: bool = False) -> Commit:
    return Commit(position=Position(sequence), state=state, full=full, progress=Progress(events=sequence), ended=ended)


def test_a_shard_nobody_has_taken_has_no_lease(store_of: Owners) -> None:
    assert store_of("a").look(SHARD) is None


def test_the_chain_comes_back_in_order(store_of: Owners) -> None:
    store = store_of("a")
    lease = store.take(SHARD, now_ms=1)
    assert (lease.epoch, lease.position, store.read(lease)) == (1, None, [])
    store.commit(lease, commit(10, b"whole", full=True), now_ms=2)
    store.commit(lease, commit(11, b"more"), now_ms=3)
    again = store_of("b").take(SHARD, now_ms=4)
    assert (again.epoch, again.position, again.ended) == (2, Position(11), False)
    assert store_of("b").read(again) == [b"whole", b"more"]


def test_a_full_snapshot_replaces_the_chain(store_of: Owners) -> None:
    store = store_of("a")
    lease = store.take(SHARD, now_ms=1)
    store.commit(lease, commit(10, b"one", full=True), now_ms=2)
    store.commit(lease, commit(11, b"two"), now_ms=3)
    store.commit(lease, commit(12, b"all", full=True), now_ms=4)
    seen = store.look(SHARD)
    assert seen is not None
    assert store.read(seen) == [b"all"]


def test_a_zombie_may_not_commit(store_of: Owners) -> None:
    zombie, owner = store_of("zombie"), store_of("owner")
    old = zombie.take(SHARD, now_ms=1)
    zombie.commit(old, commit(10, b"before", full=True), now_ms=2)
    new = owner.take(SHARD, now_ms=3)
    with pytest.raises(Fenced):
        zombie.commit(old, commit(20, b"late"), now_ms=4)
    with pytest.raises(Fenced):
        zombie.heartbeat(old, 0, Arrival(), now_ms=4)
    owner.commit(new, commit(15, b"mine"), now_ms=5)
    assert owner.read(owner.take(SHARD, now_ms=6)) == [b"before", b"mine"]


def test_a_position_never_moves_back(store_of: Owners) -> None:
    store = store_of("a")
    lease = store.take(SHARD, now_ms=1)
    store.commit(lease, commit(10, b"x", full=True), now_ms=2)
    with pytest.raises(Fenced):
        store.commit(lease, commit(9, b"y"), now_ms=3)


def test_positions_compare_as_numbers(store_of: Owners) -> None:
    store = store_of("a")
    lease = store.take(SHARD, now_ms=1)
    store.commit(lease, commit(9, b"x", full=True), now_ms=2)
    store.commit(lease, commit(10, b"y"), now_ms=3)
    store.commit(lease, commit(10**55, b"z"), now_ms=4)
    assert store.take(SHARD, now_ms=5).position == Position(10**55)


def test_the_end_may_be_committed_at_the_last_position_once(store_of: Owners) -> None:
    store = store_of("a")
    lease = store.take(SHARD, now_ms=1)
    store.commit(lease, commit(10, b"x", full=True), now_ms=2)
    store.commit(lease, commit(10, b"", ended=True), now_ms=3)
    seen = store.look(SHARD)
    assert seen is not None
    assert seen.ended
    with pytest.raises(Fenced):
        store.commit(lease, commit(11, b"after the end"), now_ms=4)


def test_an_empty_shard_can_end(store_of: Owners) -> None:
    store = store_of("a")
    lease = store.take(SHARD, now_ms=1)
    store.commit(lease, Commit(position=START, state=b"", full=True, progress=Progress(), ended=True), now_ms=2)
    seen = store.look(SHARD)
    assert seen is not None
    assert (seen.position, seen.ended) == (START, True)


def test_a_commit_of_which_only_the_answer_was_lost_counts(store_of: Owners) -> None:
    """botocore repeats a call whose answer did not come; the second try finds its own write."""
    store = store_of("a")
    if isinstance(store, MemoryStore):
        pytest.skip("memory answers always come")
    lease = store.take(SHARD, now_ms=1)
    store.commit(lease, commit(10, b"x", full=True), now_ms=2)
    before = store.look(SHARD)
    assert before is not None
    lease.position, lease.manifest = None, type(lease.manifest)()  # as it was before the answer
    store.commit(lease, commit(10, b"x", full=True), now_ms=3)
    assert store.look(SHARD) == before


def test_an_altered_snapshot_stops_the_shard(store_of: Owners) -> None:
    store = store_of("a")
    if not isinstance(store, SnapshotStore):
        pytest.skip("memory cannot be altered from outside")
    lease = store.take(SHARD, now_ms=1)
    store.commit(lease, commit(10, b"x", full=True), now_ms=2)
    key = lease.manifest.chain[0].key
    s3 = Clients(Settings()).s3
    s3.put_object(Bucket=STATE.of(Settings()), Key=key, Body=b"something else")
    with pytest.raises(Stop, match="altered"):
        store.read(lease)
    s3.delete_object(Bucket=STATE.of(Settings()), Key=key)
    with pytest.raises(Stop, match="missing"):
        store.read(lease)


def test_what_a_crash_left_is_swept(store_of: Owners) -> None:
    """An object that no manifest names: its commit never happened."""
    store = store_of("a")
    lease = store.take(SHARD, now_ms=1)
    store.commit(lease, commit(10, b"x", full=True), now_ms=2)
    owner = store_of("b")
    new = owner.take(SHARD, now_ms=3)
    with pytest.raises(Fenced):
        store.commit(lease, commit(11, b"orphan"), now_ms=4)
    owner.take(SHARD, now_ms=5)
    if isinstance(store, MemoryStore):
        keys = list(store.objects)
    else:
        listing = Clients(Settings()).s3.list_objects_v2(Bucket=STATE.of(Settings()))
        keys = [entry["Key"] for entry in listing.get("Contents", [])]
    assert keys == [link.key for link in new.manifest.chain]


def test_a_zombies_late_sweep_spares_what_a_newer_owner_has_committed(store_of: Owners) -> None:
    zombie = store_of("zombie")
    if not isinstance(zombie, SnapshotStore):
        pytest.skip("takes and sweeps in one step")
    late = zombie.take(SHARD, now_ms=1)
    owner = store_of("owner")
    lease = owner.take(SHARD, now_ms=2)
    owner.commit(lease, commit(10, b"all", full=True), now_ms=3)
    zombie._sweep(late)  # it was stopped between its two steps
    assert owner.read(lease) == [b"all"]


def test_a_repeated_commit_does_not_delete_its_own_snapshot(store_of: Owners) -> None:
    """The commit was made, and only the deletion of the old chain went unanswered: the whole commit is called again."""
    store = store_of("a")
    if not isinstance(store, SnapshotStore):
        pytest.skip("memory answers always come")
    lease = store.take(SHARD, now_ms=1)
    store.commit(lease, commit(10, b"all", full=True), now_ms=2)
    store.commit(lease, commit(10, b"all", full=True), now_ms=3)
    assert store.read(lease) == [b"all"]


def test_an_ended_shard_is_forgotten_but_for_its_position(store_of: Owners) -> None:
    store = store_of("a")
    lease = store.take(SHARD, 0)
    store.commit(lease, commit(1, b"one", full=True), 0)
    store.commit(lease, commit(2, b"two", ended=True), 0)
    store.forget(SHARD)
    store.forget(SHARD)
    seen = store.look(SHARD)
    assert seen is not None
    assert (seen.position, seen.ended, store.read(seen)) == (Position(2), True, [])


def test_a_bug_is_remembered_for_the_next_owner_until_a_commit_forgets_it(store_of: Owners) -> None:
    store = store_of("a")
    lease = store.take(SHARD, now_ms=1)
    assert lease.stumble is None
    stumble = Stumble(
        stage="fold", until=str(Position(12)), at=str(Position(11)), times=2, traceback="…", aside=(str(Position(9)),)
    )
    store.stumbled(lease, stumble)
    again = store_of("b").take(SHARD, now_ms=2)
    assert again.stumble == stumble
    store.stumbled(lease, Stumble(stage="write", until=str(Position(99))))  # of a zombie
    kept = Commit(position=Position(10), state=b"x", full=True, progress=Progress(), stumble=stumble)
    store_of("b").commit(again, kept, now_ms=3)
    last = store_of("c").take(SHARD, now_ms=4)
    assert last.stumble == stumble
    store_of("c").commit(last, commit(13, b"y"), now_ms=5)
    assert store_of("d").take(SHARD, now_ms=6).stumble is None
