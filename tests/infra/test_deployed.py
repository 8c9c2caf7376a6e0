"""The synthesized stacks, deployed to the embedded AWS by CloudFormation and used: a purchase's way from HTTP to the customer.

The stream alone is not the stack's: it is made in our Kinesis, since ministack's own cannot be resharded under KCL.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clickstream.aws import Clients
from clickstream.consumers.orders.needs import NOTIFICATIONS_QUEUE, ORDERS
from clickstream.infra.local import functions, stack
from clickstream.infra.local.processes import Children, wait_until
from clickstream.settings import Settings, child_environment
from tests.infra.deployment import ORDER, Deployment
from tests.infra.templates import Template, read

pytestmark = pytest.mark.integration

NAME = "deployed"
_PATIENCE_S = 120.0

_TOKEN = "a-token-of-the-test-alone"


class Shop(msgspec.Struct, frozen=True):
    """Everything that runs."""

    settings: Settings
    deployment: Deployment
    template: dict[str, Template]
    key: str
    program: Callable[..., str]
    """Runs ``clickstream ARGUMENTS`` and returns its stdout."""
    serving: str
    """Where serving listens, behind the gateway."""
    logs: Path


@pytest.fixture(scope="module")
def shop(local_aws: stack.Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    from clickstream.infra import app
    from clickstream.infra.stages import Upstream, local

    folder = tmp_path_factory.mktemp("deployed")
    collector, serving = stack.claim((0, "--port"), (0, "--port"))
    settings = msgspec.structs.replace(local_aws.settings, name=NAME)
    upstream = Upstream(collector=f"http://127.0.0.1:{collector}", serving=f"http://127.0.0.1:{serving}")
    app.build(local(settings, upstream), folder / "cdk", checked=False).synth()
    template = {name.removeprefix(f"{NAME}-"): found for name, found in read(folder / "cdk").items()}
    assert set(template) == set(ORDER)

    deployment = Deployment(settings)
    deployment.prepare(app.RELEASES, functions.package())
    for part in ORDER:
        deployment.deploy(f"{NAME}-{part}", template[part])
    deployment.validate_requests(template["gateway"])
    clients = Clients(settings)
    clients.kinesis.create_stream(StreamName=settings.stream, ShardCount=2)

    environment = child_environment(
        local_aws.environment | {"CLICKSTREAM_NAME": NAME, "CLICKSTREAM_LOCAL_DIR": str(folder / "programs")}
    )

    def program(*arguments: str) -> str:
        command = [sys.executable, "-m", "clickstream.cli", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    keys = str(folder / "keys.json")
    key = program("collect", "keys", "add", "shop-web", "--keys", keys).strip()
    deployment.admit(key)
    # as ECS gives them to the task
    secrets = {"CLICKSTREAM_DASHBOARD_TOKEN": _TOKEN, "COLLECTOR_KEYS": Path(keys).read_text()}
    with Children(grace=60) as children:
        for name, arguments in (
            ("collect", ("collect", "--port", str(collector), "--keys", keys)),
            ("serve", ("serve", "--port", str(serving), "--host", "0.0.0.0", "--allow-remote")),
            ("fraud", ("worker", "fraud")),
            ("orders", ("worker", "orders")),
        ):
            command = [sys.executable, "-m", "clickstream.cli", *arguments]
            own = secrets if name == "serve" else {}
            children.start(name, command, environment=environment | own, log=folder / f"{name}.log")
        for port in (collector, serving):
            deadline = time.monotonic() + _PATIENCE_S
            wait_until(lambda port=port: stack.answers(port, "/healthz"), "a program", deadline, check=children.check)  # type: ignore[misc]  # bound at once
        yield Shop(settings, deployment, template, key, program, upstream.serving, folder)


def _purchase(number: int) -> dict[str, Any]:
    return {
        "type": "purchase",
        "event_id": f"e-{number}",
        "user_id": f"u-{number}",
        "session_id": "s-1",
        "occurred_at": int(time.time() * 1000),
        "order_id": f"o-{number}",
        "items": [{"product_id": "p-1", "quantity": 2, "price": 500}],
        "amount": 1000,
        "currency": "EUR",
    }


def _wait(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, what, time.monotonic() + _PATIENCE_S, check=lambda: None)


def _notifications(shop: Shop) -> int:
    sqs = Clients(shop.settings).sqs
    url = sqs.get_queue_url(QueueName=NOTIFICATIONS_QUEUE.of(shop.settings))["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    return int(found["ApproximateNumberOfMessages"])


def _stands(shop: Shop, order: str) -> str:
    item = Clients(shop.settings).dynamodb.get_item(
        TableName=ORDERS.of(shop.settings), Key={"order_id": {"S": order}}, ConsistentRead=True
    )
    return item["Item"]["step"]["S"] if "Item" in item else "nowhere"


def test_the_gateway_lets_in_who_has_a_key_and_a_valid_body(shop: Shop) -> None:
    good = _purchase(1)
    for key in (None, "ck_wrong"):
        assert shop.deployment.request("POST", "/v1/events", key=key, body=good).status == 403
    for bad in ({}, [], {**good, "type": "gift"}, {**good, "user_id": ""}, [good] * 501, "text"):
        answer = shop.deployment.request("POST", "/v1/events", key=shop.key, body=bad)
        assert answer.status == 400, bad
    assert shop.deployment.request("GET", "/v1/recommendations/u-1", key=None).status == 403
    answer = shop.deployment.request("GET", "/v1/recommendations/u-1", key=shop.key)
    assert answer.status == 200, answer.body


def test_serving_asks_for_a_login_and_tells_nobody_its_token(shop: Shop) -> None:
    for path, headers in (("/v1/progress", {}), ("/v1/recommendations/u-1", {}), ("/v1/progress", {"X-API-Key": shop.key})):
        request = urllib.request.Request(f"{shop.serving}{path}", headers=headers)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=_PATIENCE_S)
        assert refused.value.code == 401
        refused.value.close()
    allowed = urllib.request.Request(f"{shop.serving}/v1/progress", headers={"Authorization": f"Bearer {_TOKEN}"})
    with urllib.request.urlopen(allowed, timeout=_PATIENCE_S) as answer:
        assert answer.status == 200
    said = "".join(path.read_text() for path in shop.logs.glob("*.log"))
    assert said
    assert _TOKEN not in said
    assert shop.key not in said


def test_a_purchase_becomes_a_decision_an_order_a_reservation_and_one_notification(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.program("orders", "stock", "p-1=10")
    purchases = [_purchase(number) for number in range(1, 5)]
    started = time.monotonic()
    answer = shop.deployment.request("POST", "/v1/events", key=shop.key, body=purchases)
    assert (answer.status, json.loads(answer.body)["accepted"]) == (200, 4), answer.body
    for number in range(1, 5):
        _wait(lambda number=number: _stands(shop, f"o-{number}") == "confirmed", f"order {number}")  # type: ignore[misc]  # bound at once
    _wait(lambda: _notifications(shop) == 4, "four notifications")
    seconds = time.monotonic() - started
    assert json.loads(shop.program("query", "decision", "e-1", "--json"))["verdict"] == "approve"
    assert json.loads(shop.program("orders", "stock", "--json")) == {"p-1": 2}

    # everything again, as a client does whose answer was lost; a fifth order shows that all of it was read
    answer = shop.deployment.request("POST", "/v1/events", key=shop.key, body=[*purchases, _purchase(5)])
    assert answer.status == 200
    _wait(lambda: _stands(shop, "o-5") == "confirmed", "order 5")
    _wait(lambda: _notifications(shop) == 5, "its notification")
    assert json.loads(shop.program("orders", "stock", "--json")) == {"p-1": 0}
    with capsys.disabled():
        sys.stderr.write(f"\nfour purchases through the gateway, told to the customer after {seconds:.1f} s\n")
