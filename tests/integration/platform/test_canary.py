"""A card number, an address and an e-mail on their way through the platform: nobody who looks at it sees them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import msgspec
import pytest

from clickstream.aws import Clients
from clickstream.consumers.analytics.wiring import APPLICATION as ANALYTICS
from clickstream.consumers.fraud.wiring import APPLICATION as FRAUD
from clickstream.consumers.recommendations.wiring import APPLICATION as RECOMMENDATIONS
from clickstream.consumers.runtime.faults.dead_letters import DeadLetterQueue, dead_letter
from clickstream.consumers.runtime.loop.opening import opened, position_of
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.consumers.runtime.state.shard_state import ShardState
from clickstream.consumers.runtime.state.snapshots import Commit, SnapshotStore
from clickstream.records.routing import Shard
from clickstream.settings import Settings, environment
from tests.browser.serving_process import serving
from tests.integration.collector.processes import collector
from tests.integration.collector.reading import event_ids, user_records
from tests.integration.publisher.stream import open_shards
from tests.unit.collector.conftest import event, purchase

pytestmark = pytest.mark.integration

CARD, MAIL, ADDRESS = "4242424242424242", "canary@example.com", "198.51.100.77"
SECRETS = (CARD, MAIL, ADDRESS)
PAGES = ["/", "/fraud", "/recommendations", "/pipeline", "/letters", "/api", "/explain?event=e-1&letters=1"]
FEEDS = ["now?range=15m", "now?range=1h", "now?range=24h", "fraud", "recommendations", "pipeline"]
ANSWERS = [
    "/v1/aggregates?granularity=minute",
    "/v1/aggregates?format=csv",
    "/v1/progress",
    "/v1/letters",
    "/v1/fraud/decided",
    "/v1/fraud/alerts",
    "/v1/fraud/alerts?format=csv",
    "/v1/decisions/e-1",
    "/v1/recommendations/u-1",
    "/v1/explain/e-1?user=u-1&letters=1",
    "/v1/openapi.json",
    "/metrics",
]


def _bodies() -> list[dict[str, Any]]:
    now = time.time_ns() // 1_000_000
    context = {"ip": ADDRESS, "device": MAIL, "email": MAIL, "country": "DE"}
    return [
        purchase(occurred_at=now, payment_fingerprint=CARD, card_number=CARD, email=MAIL, context=context),
        event(event_id="e-2", type="product_view", product_id="p-1", occurred_at=now, context=context, email=MAIL, ip=ADDRESS),
    ]


#: What no producer of ours would put: each has a secret where the decoder stumbles.
_POISON = [
    purchase(event_id="e-3", payment_fingerprint=int(CARD)),
    purchase(event_id="e-4", payment_fingerprint=CARD * 20, context={"ip": ADDRESS * 40, "device": MAIL}),
    purchase(event_id="e-5", context=MAIL),
    event(event_id="e-6", context={"device": [MAIL], "ip": {ADDRESS: CARD}}),
]


def _work(settings: Settings) -> None:
    """What the workers do with the stream: fold, effects, commits, and dead letters."""
    clients = Clients(settings)
    shards = {each["ShardId"]: Shard.from_api(each) for each in open_shards(clients.kinesis, settings.stream)}
    poison = [Record(json.dumps(each).encode(), "u-1", str(n + 1), 0, 1) for n, each in enumerate(_POISON)]
    for shard_id, users in user_records(settings).items():
        for application in (ANALYTICS, FRAUD, RECOMMENDATIONS):
            state = ShardState(application.name, application.open_fold(shard_id), shards[shard_id].hash_range)
            rejections = [*state.apply(list(opened(poison))).rejections, *state.apply(list(opened(users))).rejections]
            assert len(rejections) == len(poison)
            DeadLetterQueue(clients, settings).send(
                [
                    dead_letter(
                        application=application.name,
                        shard=shard_id,
                        position=position_of(each.record),
                        partition_key=each.record.partition_key or "",
                        arrived_ms=each.record.approximate_arrival_timestamp,
                        reason=each.error.reason,
                        path=each.error.path,
                        data=each.record.data,
                    )
                    for each in rejections
                ]
            )
            application.open_sink(shard_id, clients, settings).write(state.fold.effects(flush=True), state.position)
            store = SnapshotStore(application.name, "worker-0", clients, settings)
            now = time.time_ns() // 1_000_000
            commit = Commit(position=state.position, state=state.snapshot(), full=True, progress=state.progress)
            store.commit(store.take(shard_id, now), commit, now)


def _read(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.read()


def _picture(url: str) -> bytes:
    """The first of a live feed."""
    with urllib.request.urlopen(url, timeout=20) as stream:
        lines = b""
        while not lines.endswith(b"\n\n"):
            lines += stream.readline()
        return lines


def _clean(name: str, said: bytes) -> None:
    assert [secret for secret in SECRETS if secret.encode() in said] == [], name


def test_nobody_sees_a_card_an_address_or_an_e_mail(provisioned: Settings) -> None:
    with collector(provisioned) as taking:
        request = urllib.request.Request(
            f"{taking.url}/v1/events", json.dumps(_bodies()).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == 200
        for path in ("/metrics", "/readyz"):
            _clean(path, _read(taking.url + path))
        _clean("the collector's log", taking.log.read_bytes())
    assert event_ids(provisioned) == {"e-1", "e-2"}
    _work(provisioned)

    with serving(msgspec.structs.replace(provisioned, log_level="DEBUG")) as server:
        decided = json.loads(_read(f"{server.url}/v1/decisions/e-1"))
        assert decided["verdict"] in ("approve", "review", "block"), "the purchase did not get so far"
        for path in (*PAGES, *ANSWERS):
            said = _read(server.url + path)
            assert said, path
            _clean(path, said)
        for feed in FEEDS:
            _clean(feed, _picture(f"{server.url}/v1/live/{feed}"))
        _clean("the server's log", server.log.read_bytes())

    listed = subprocess.run(
        [sys.executable, "-m", "clickstream.cli", "dlq", "list"],
        env=environment(provisioned),
        capture_output=True,
        check=True,
    )
    assert len(listed.stdout.splitlines()) >= len(_POISON)
    _clean("dlq list", listed.stdout + listed.stderr)
