"""What is within its bounds is taken by every application's fold and by every store, whatever it says."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clickstream.application import Application
from clickstream.aws import Clients
from clickstream.consumers.runtime.loop.decoding import decode
from clickstream.consumers.runtime.loop.opening import opened
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.errors import Rejected
from clickstream.events import AnyEvent
from clickstream.infra.local import resources, stack
from clickstream.load.simulation.fleet.lines import read
from clickstream.records.position import Position
from clickstream.settings import Settings
from tests.property.untrusted import hostile
from tests.property.untrusted.hostile import NOW

SHARD = "shardId-000000000000"
APPLICATIONS: list[Application] = [
    importlib.import_module(f"clickstream.consumers.{name}.wiring").APPLICATION
    for name in ("analytics", "fraud", "recommendations", "archive", "orders")
]
by_application = pytest.mark.parametrize("application", APPLICATIONS, ids=lambda application: application.name)
slow = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@by_application
@slow
@given(batches=st.lists(st.lists(hostile.events, max_size=5), max_size=5), crash=st.integers(0, 5))
def test_a_fold_takes_them_and_its_state_survives_them(
    application: Application, batches: list[list[AnyEvent]], crash: int
) -> None:
    """After a restart it gives the same effects, and may give those again that were written before."""
    steady, restarted = application.open_fold(SHARD), application.open_fold(SHARD)
    for number, batch in enumerate(batches):
        if number == crash:
            state, restarted = restarted.snapshot(), application.open_fold(SHARD)
            restarted.restore(state, None)
        steady.apply(batch)
        restarted.apply(batch)
        again = list(restarted.effects(flush=True))
        assert all(effect in again for effect in steady.effects(flush=True))


class Stores:
    """The embedded ones, before which each request is held against AWS's limits."""

    def __init__(self, surroundings: Settings, limits: Any) -> None:
        self.clients, self.settings = Clients(surroundings), surroundings
        self.refused: list[str] = []
        resources.create(self.clients, self.settings, shards=1)
        self._limits = limits
        self._keys: dict[str, tuple[str, ...]] = {}
        for service in (self.clients.dynamodb, self.clients.sns, self.clients.s3, self.clients.sqs):
            service.meta.events.register("provide-client-params.*", self._look)

    def _look(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        if (refusal := self._limits.refusal(service, model.name, params, self._keys_of)) is not None:
            self.refused.append(f"{service} {model.name}: {refusal}")

    def _keys_of(self, table: str) -> tuple[str, ...]:
        if table not in self._keys:
            self._keys[table] = ()  # of the description itself nothing is asked
            schema = self.clients.dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
            self._keys[table] = tuple(key["AttributeName"] for key in schema)
        return self._keys[table]


@pytest.fixture(scope="module")
def stores(local_aws: stack.Stack) -> Stores:
    from clickstream.infra.local.limits import requests as limits

    return Stores(msgspec.structs.replace(local_aws.settings, name="hostile-events"), limits)


@by_application
@slow
@given(events=st.lists(hostile.events, min_size=1, max_size=12))
def test_no_store_refuses_what_comes_of_them(stores: Stores, application: Application, events: list[AnyEvent]) -> None:
    fold = application.open_fold(SHARD)
    sink = application.open_sink(SHARD, stores.clients, stores.settings)
    for number in range(0, len(events), 4):
        fold.apply(events[number : number + 4])
        sink.write(fold.effects(flush=True), Position(number + 1, 0))
    assert stores.refused == []


@given(lines=st.lists(hostile.lines, max_size=12))
@settings(suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow], deadline=None)
def test_each_line_becomes_an_event_or_one_reason_that_quotes_nothing_of_it(lines: Sequence[bytes]) -> None:
    records = [
        Record(
            data=data, partition_key="u-a", sequence_number=str(n), sub_sequence_number=0, approximate_arrival_timestamp=NOW
        )
        for n, data in enumerate(lines)
    ]  # fmt: skip
    decoded = decode(opened(records))
    lines_by_the_rules = sum(len(read("u-a", data).lines) for data in lines)
    assert len(decoded.events) + len(decoded.rejections) == lines_by_the_rules
    for rejection in decoded.rejections:
        assert isinstance(rejection.error, Rejected)
        assert rejection.error.path.startswith("$")
        assert len(str(rejection.error)) < 300
        assert str(rejection.error).isprintable()
