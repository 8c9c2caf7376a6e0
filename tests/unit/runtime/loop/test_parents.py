"""Parents' snapshots stay as long as a child may need them, and no longer."""

from __future__ import annotations

from clickstream.consumers.runtime.state.parents import LOOK_AGAIN_S, Parents
from clickstream.consumers.runtime.state.snapshots import Commit, Progress
from clickstream.load.simulation.aws.memory import MemoryStore
from clickstream.records.position import Position
from clickstream.records.routing import MAX_HASH_KEY, WHOLE_SPACE, HashRange, Shard

HALF = MAX_HASH_KEY // 2
LEFT = Shard(shard_id="left", hash_range=HashRange.of(0, HALF), parents=("parent",))
RIGHT = Shard(shard_id="right", hash_range=HashRange.of(HALF + 1, MAX_HASH_KEY), parents=("parent",))
MERGED = Shard(shard_id="merged", hash_range=WHOLE_SPACE, parents=("left", "right"))


def committed(store: MemoryStore, shard_id: str, sequence: int, *, ended: bool = False) -> None:
    lease = store.take(shard_id, 0)
    store.commit(lease, Commit(position=Position(sequence), state=b"state", full=True, progress=Progress(), ended=ended), 0)


def children_of(shard_id: str) -> list[Shard]:
    return [shard for shard in (LEFT, RIGHT, MERGED) if shard_id in shard.parents]


def objects(store: MemoryStore) -> set[str]:
    return {key.partition("/")[0] for key in store.objects}


def test_a_split_shards_snapshots_go_with_the_second_childs_first_commit() -> None:
    store = MemoryStore("owner")
    committed(store, "parent", 10, ended=True)
    committed(store, "left", 20)
    clock = [0.0]
    parents = Parents(LEFT, store, children_of, lambda: clock[0])
    parents.forget()
    assert objects(store) == {"parent", "left"}, "its sibling has not begun"
    committed(store, "right", 20)
    clock[0] = LOOK_AGAIN_S - 0.1
    parents.forget()
    assert "parent" in objects(store), "the siblings are not asked after each commit"
    clock[0] = LOOK_AGAIN_S
    parents.forget()
    assert objects(store) == {"left", "right"}
    parent = store.look("parent")
    assert parent is not None
    assert (parent.ended, parent.position, parent.manifest.chain) == (True, Position(10), ())


def test_a_merged_shards_parents_go_both_with_its_first_commit() -> None:
    store = MemoryStore("owner")
    for parent in ("left", "right"):
        committed(store, parent, 10, ended=True)
    committed(store, "merged", 20)
    Parents(MERGED, store, children_of).forget()
    assert objects(store) == {"merged"}


def test_a_sibling_that_is_not_listed_is_not_taken_for_complete() -> None:
    store = MemoryStore("owner")
    committed(store, "parent", 10, ended=True)
    committed(store, "left", 20)
    Parents(LEFT, store, lambda _: [LEFT]).forget()
    assert "parent" in objects(store)


def test_a_store_that_does_not_answer_does_not_hold_the_shard_up() -> None:
    store = MemoryStore("owner")
    committed(store, "parent", 10, ended=True)
    committed(store, "left", 20)
    committed(store, "right", 20)
    clock = [0.0]
    parents = Parents(LEFT, store, children_of, lambda: clock[0])
    store.down = True
    parents.forget()
    store.down = False
    assert "parent" in objects(store)
    clock[0] = LOOK_AGAIN_S
    parents.forget()
    assert "parent" not in objects(store)
