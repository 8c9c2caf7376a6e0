"""When a chain is replaced by a new snapshot: each link makes every commit's item longer, which costs money."""

from __future__ import annotations

import pytest

from clickstream.consumers.runtime.state.chain import Manifest, StoredObject

KIB = 1024


@pytest.mark.parametrize(
    ("full", "links"),
    [(1_000, 8), (512 * KIB, 8), (1024 * KIB, 16), (4096 * KIB, 64), (100 * 1024 * KIB, 64)],
)
def test_a_small_snapshot_has_a_short_chain(full: int, links: int) -> None:
    assert commits_until_full(full, change=100) == links


def test_a_chain_is_no_heavier_than_twice_its_snapshot() -> None:
    assert commits_until_full(4096 * KIB, change=1024 * KIB) == 9


def commits_until_full(full: int, change: int) -> int:
    """How many commits one snapshot is good for, its own included."""
    chain = [StoredObject(key="full", size=full, sha256="")]
    while not Manifest(chain=tuple(chain)).wants_full:
        chain.append(StoredObject(key="changes", size=change, sha256=""))
    return len(chain) - 1
