"""The dead-letter queue beside the records that are no events: each there once per application, with its bytes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from clickstream.load.verdict.comparers.compared import Compared, some
from clickstream.load.verdict.send_log import Rejected, digest


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter; two with the same application, shard and position are one, sent again after a crash."""

    application: str
    shard: str
    position: str
    arrived_ms: int
    partition_key: str
    data: bytes
    reason: str
    path: str = "$"


def compare(
    rejected: Sequence[Rejected], letters: Iterable[Letter], applications: Sequence[str], *, started_ms: int, alone: bool = True
) -> Compared:
    """Letters that arrived before ``started_ms``, and those of other applications, are left out; so are those of records that
    others sent, unless nobody else sent any (``alone``)."""
    compared = Compared()
    # not by the partition key: a line among others has none of its own
    expected = Counter(each.digest for each in rejected)
    keys_of = {each.digest: each.key for each in rejected}
    paths = {each.digest: each.path for each in rejected if each.path}
    messages = [each for each in letters if each.arrived_ms >= started_ms and each.application in applications]
    once = {(each.application, each.shard, each.position): each for each in messages}
    for application in applications:
        own = [each for each in once.values() if each.application == application]
        found = Counter(digest(each.data) for each in own)
        missing, strange = expected - found, found - expected if alone else Counter[str]()
        compared.compared += expected.total()
        compared.lost += missing.total()
        compared.duplicated += strange.total()
        if missing:
            keys = [keys_of[each] for each in missing.elements()]
            compared.problems.append(f"{application}: {missing.total():,} bad records have no dead letter: of {some(keys)}")
        if strange:
            named = [f"{each.partition_key or each.position} ({each.reason})" for each in own if digest(each.data) in strange]
            compared.problems.append(
                f"{application}: {strange.total():,} dead letters of records that were events, or were sent once: {some(named)}"
            )
        misplaced = [each for each in own if not each.path.startswith(paths.get(digest(each.data), ""))]
        compared.wrong += len(misplaced)
        if misplaced:
            named = [f"{each.reason} at {each.path}" for each in misplaced]
            compared.problems.append(f"{application}: {len(misplaced):,} dead letters for another fault: {some(named)}")
    compared.figures = {"letters": len(once), "repeated": len(messages) - len(once)}
    return compared
