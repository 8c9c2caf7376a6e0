"""One real fault at a time over one continuous load on 4 shards, and the account at the end.

Three applications here, for the time that a worker's start takes; the long, mixed run of all is
``python -m tests.integration.drills``, and its table is in docs/explanation/delivery.md.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clickstream.infra.local import roles
from clickstream.infra.local.gate.faults import Fault as Refused
from clickstream.settings import from_env
from tests.integration.drills.account import settle
from tests.integration.drills.drill import run
from tests.integration.drills.rig.proxy import FAIR, Weather
from tests.integration.drills.rig.shards import now_ms
from tests.integration.drills.rig.site import Site, opened

pytestmark = [
    pytest.mark.integration,
    pytest.mark.java,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc"),
]

#: One of each sort; takeover after a death is measured at 6 to 12 s, the rest is a busy machine's.
KINDS = (
    "kill -9 supervisor",
    "kill -9 shard process",
    "stop worker",
    "split",
    "Kinesis refuses",
    "DynamoDB unreachable",
    "SQS unreachable",
    "kill -9 Kinesis",
    "clock steps",
    "ids that two users share",
    "an item never taken",
    "producer's permission away",
)
LONGEST_S = 60.0


@pytest.fixture(scope="module")
def site(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("drills")
    applications = ("analytics", "fraud", "orders")
    with opened(folder, home=from_env().local_dir.absolute(), rate=100, applications=applications, refusals_s=(3, 5)) as site:
        yield site
    shutil.rmtree(folder / "state", ignore_errors=True)


@pytest.mark.parametrize("kind", KINDS)
def test_every_shard_moves_again(site: Site, kind: str) -> None:
    [outcome] = run(site, [kind], seed=1, tell=lambda _outcome: None)
    assert outcome.moved_s < LONGEST_S


@pytest.mark.parametrize(("service", "application"), [("s3", "analytics"), ("sns", "fraud")])
def test_a_dead_dependency_shows_in_the_shards_items_while_it_is_dead(site: Site, service: str, application: str) -> None:
    proxy = site.proxies[service]
    proxy.set(Weather(refuse=True))
    proxy.reset()
    try:
        _until(lambda: service.upper() in _breakers(site, application), "a breaker that opens")
    finally:
        proxy.set(FAIR)
    site.shards.wait_until_moving(now_ms(), timeout_s=LONGEST_S)
    _until(lambda: not _breakers(site, application), "breakers that close")


def test_a_missing_permission_shows_while_it_is_away_and_ends_no_process(site: Site) -> None:
    before = site.running()
    orders = roles.access_key(site.settings.name, "orders")
    with site.controls.during(Refused("denied", who=orders, action="dynamodb:PutItem")):
        _until(lambda: "orders dynamodb:PutItem" in site.shards.waiting(), "a shard that says what it waits for")
    site.shards.wait_until_moving(now_ms(), timeout_s=LONGEST_S)
    _until(lambda: not site.shards.waiting(), "nobody who waits any more")
    assert site.running() == before


def test_a_worker_that_wakes_without_its_leases_stays(site: Site) -> None:
    """Its shard processes are refused by their epochs, and stand still instead of taking the worker down."""
    site.wait_until_staffed()
    before = [worker.parts().supervisor for worker in site.workers]
    run(site, ["stop JVM"], seed=2, tell=lambda _outcome: None)
    assert [worker.parts().supervisor for worker in site.workers] == before
    assert all(worker.parts().jvm for worker in site.workers)


def test_nothing_was_lost_or_doubled_by_all_that(site: Site) -> None:
    """The last one: it ends the load."""
    account = settle(site)
    assert account.problems == []
    assert account.purchases > 100
    assert account.exact


def _breakers(site: Site, application: str) -> dict[str, str]:
    """Dependency → state, of all open shards."""
    rows: dict[str, dict[str, Any]] = site.shards.rows(application)
    told = (rows.get(shard["ShardId"], {}).get("breakers", {"M": {}})["M"] for shard in site.shards.open())
    return {dependency: state["S"] for states in told for dependency, state in states.items()}


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.1)
