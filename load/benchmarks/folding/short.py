"""``short``: what the short level costs: the wishlist of ``examples`` beside the same application written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clickstream.answers import HOUR, Application, Count, Distinct, Table, User
from clickstream.answers.declared import Addition
from clickstream.application import Application as Runnable
from clickstream.consumers.runtime.state.shard_state import ShardState
from clickstream.load.benchmarks.folding import by_hand
from clickstream.load.benchmarks.folding.fold import COUNT, fold, sample_lines, with_its_cost, with_the_childs_collector
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, cpu_rate
from clickstream.records.routing import WHOLE_SPACE

#: As in examples/wishlist/wishlist.py.
WISHES = Table("wishes", per=HOUR, wishes=Count(), wishers=Distinct())


def wished(event: Any, _: User[Any]) -> Iterator[Addition]:
    yield WISHES.add(event.product_id, wishes=1, wishers=event.user_id)


def benchmark() -> Benchmark:
    earlier, lines = sample_lines()
    short: Runnable = Application("wishlist", on={"product_view": wished}, answers=[WISHES])

    def measured(application: Runnable) -> Reading:
        state = ShardState(application.name, application.open_fold("shardId-000000000000"), WHOLE_SPACE)
        fold(state, earlier)
        return with_its_cost(with_the_childs_collector(lambda: cpu_rate(COUNT, lambda: fold(state, lines))))

    return Benchmark(
        id="short",
        what="examples/wishlist on one core: inflate, decode, home check, duplicates, fold, a commit's encoding every 20,000",
        unit="events/s",
        aim="≤ 1.5 times the cost by hand",
        least=1 / 1.5,
        peer_name="the same application by hand at the full level",
        fairness="The same lines through the same shard state; product views stand for wishes, six of ten events. Both keep a "
        "count and a sketch of visitors per product and hour, give out absolute rows and encode what changed. By hand there "
        "are no users, no timers, and the cells are written out. Not in it: the stores' calls, which run on another thread.",
        clock="CPU",
        ours=lambda: measured(short),
        peer=lambda: measured(by_hand.APPLICATION),
    )
