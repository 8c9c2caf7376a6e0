"""A day in the life of every program, short: events come in, a shard is split, workers end and come back, orders are led."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from clickstream.aws import Clients
from clickstream.consumers.analytics.needs import AGGREGATES
from clickstream.consumers.archive.needs import ARCHIVE
from clickstream.consumers.fraud.needs import DECISIONS
from clickstream.consumers.needs import applications, lease_tables
from clickstream.consumers.orders.messages import Order
from clickstream.consumers.orders.needs import INVENTORY, ORDERS, QUEUES, STATE_MACHINE
from clickstream.consumers.orders.table import OrdersTable
from clickstream.consumers.recommendations.needs import OFFERS
from clickstream.infra.local import resources, stack
from clickstream.infra.local.processes import Children, wait_until
from clickstream.infra.local.together import owns_every_shard
from clickstream.platform import DEAD_LETTERS, SHARDS
from clickstream.settings import Settings, child_environment
from tests.infra.recording.proxy import HOST

NAME = "recorded"
SETUP = "setup"
_PATIENCE_S = 240.0
_PRODUCT = "p-recorded"
#: What serving answers with data: a purchase that was read, or not.
_PAGES = (
    "/v1/aggregates?granularity=minute",
    "/v1/progress",
    "/v1/recommendations/u-recorded",
    "/v1/recommendations?viewed=p-recorded",
    "/v1/fraud/decided",
    "/v1/fraud/alerts",
    "/v1/decisions/e-before",
    "/v1/explain/e-before",
    "/v1/explain/e-served",
    "/v1/letters",
    "/metrics",
)


class Scenario:
    """``run`` it once; every program signs its requests with its own name."""

    def __init__(self, region: str, aws: str, kinesis: str, folder: Path) -> None:
        self._variables = {
            "AWS_ENDPOINT_URL": aws,
            "AWS_ENDPOINT_URL_KINESIS": kinesis,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "CLICKSTREAM_NAME": NAME,
            "CLICKSTREAM_LOCAL_DIR": str(folder / "programs"),
            "POWERTOOLS_TRACE_DISABLED": "true",
            "PYTHONPATH": str(Path(__file__).parents[3]),
        }
        self._folder = folder
        self._settings = Settings(
            name=NAME, region=region, endpoint_url=aws, endpoint_urls={"kinesis": kinesis}, credentials=(SETUP, "test")
        )
        self._clients = Clients(self._settings)

    def run(self) -> None:
        resources.create(self._clients, self._settings, shards=2)
        self._lease_tables()
        self._stock(10)
        with Children(grace=60) as web:
            collector, serving = stack.claim((0, "--port"), (0, "--port"))
            self._start(web, "collector", "collect", "--port", str(collector))
            self._start(web, "serving", "serve", "--port", str(serving))
            with Children(grace=60) as workers:
                for application in applications():
                    self._start(workers, application, "worker", application)
                    self._owned(application)
                self._purchase(collector, "before")
                self._purchase(collector, "absurd", amount=3_000_000)  # fraud tells a person of it
                self._program("generator", "clickstream.cli", "load", "run", "--rate", "100", "--duration", "8", "--no-ledger")
                self._answered()
                self._program(SETUP, "clickstream.cli", "shards", "split", "shardId-000000000000", "--apply")
                for application in applications():
                    self._owned(application)
                self._purchase(collector, "after")
                self._program("generator", "clickstream.cli", "load", "run", "--rate", "100", "--duration", "4", "--no-ledger")
                self._settled()
            with Children(grace=60) as workers:
                for application in applications():
                    self._start(workers, application, "worker", application)
                    self._owned(application)
            self._read(serving)
        self._choreography()
        self._orchestration()
        self.autoscale()

    def serve(self) -> None:
        """Every page's data, of a purchase that no worker has read."""
        resources.create(self._clients, self._settings, shards=2)
        (port,) = stack.claim((0, "--port"))
        self._program(SETUP, "clickstream.cli", "produce", stdin=json.dumps(_event("served", 1000)) + "\n")
        with Children(grace=60) as web:
            self._start(web, "serving", "serve", "--port", str(port))
            self.wait(lambda: stack.answers(port, "/healthz"), "serving")
            self._read(port)

    def autoscale(self) -> None:
        """An idle stream, over many shards: the function merges two of them."""
        resources.create(self._clients, self._settings, shards=2)
        module = "clickstream.operating.autoscaler"
        program = f"from {module} import handler; handler({{}}, None)"
        command = [sys.executable, "-c", program]
        environment = self._environment("autoscaler") | {"CLICKSTREAM_AUTOSCALE": "true"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        sys.stderr.write(done.stdout)

    def wait(self, condition: Callable[[], bool], what: str, deadline: float | None = None) -> None:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} waiting for {what}\n")
        wait_until(condition, what, time.monotonic() + _PATIENCE_S if deadline is None else deadline, check=lambda: None)

    def _environment(self, program: str) -> dict[str, str]:
        return child_environment(self._variables | {"AWS_ACCESS_KEY_ID": program})

    def _start(self, group: Children, program: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "clickstream.cli", *arguments]
        group.start(program, command, environment=self._environment(program), log=self._folder / f"{program}.log")

    def _program(self, program: str, module: str, *arguments: str, stdin: str = "") -> None:
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(
            command,
            env=self._environment(program),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        assert done.returncode in (0, 3), f"{program}: {done.stderr[-2000:]}"

    def _owned(self, application: str) -> None:
        since_ms = int(time.time() * 1000) - 1000
        self.wait(
            lambda: owns_every_shard(self._clients, self._settings, application, since_ms), f"{application} to own its shards"
        )

    def _lease_tables(self) -> None:
        """As the stack makes them: a worker that finds none would make its own."""
        for application in applications():
            for table in lease_tables(application):
                self._clients.dynamodb.create_table(**table.creation(table.of(self._settings)))

    def _stock(self, quantity: int) -> None:
        self._program(SETUP, "clickstream.cli", "orders", "stock", f"{_PRODUCT}={quantity}")

    def _purchase(self, port: int, order: str, *, amount: int = 1000) -> None:
        self.wait(lambda: stack.answers(port, "/healthz"), "the collector")
        connection = http.client.HTTPConnection(HOST, port, timeout=30)
        connection.request("POST", "/v1/events", json.dumps(_event(order, amount)), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()

    def _answered(self) -> None:
        """Every application has put something where its answers go, and a dead letter has come."""
        tables = (
            AGGREGATES.of(self._settings),
            DECISIONS.of(self._settings),
            OFFERS.of(self._settings),
            ORDERS.of(self._settings),
        )
        for table in tables:
            self.wait(lambda table=table: self._clients.dynamodb.scan(TableName=table, Limit=1)["Count"] > 0, table)  # type: ignore[misc]  # bound at once
        archive = ARCHIVE.of(self._settings)
        self.wait(lambda: self._clients.s3.list_objects_v2(Bucket=archive)["KeyCount"] > 0, archive)
        url = self._clients.sqs.get_queue_url(QueueName=DEAD_LETTERS.of(self._settings))["QueueUrl"]
        self.wait(
            lambda: (
                self._clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])[
                    "Attributes"
                ]["ApproximateNumberOfMessages"]
                != "0"
            ),
            "a dead letter",
        )

    def _settled(self) -> None:
        """Every shard of every application has committed what it read."""
        start = int(time.time() * 1000)

        def committed() -> bool:
            items = self._clients.dynamodb.scan(TableName=SHARDS.of(self._settings))["Items"]
            live = [item for item in items if not item.get("ended", {"BOOL": False})["BOOL"] and "behind_ms" in item]
            return bool(live) and all(item["behind_ms"]["N"] == "0" and int(item["updated_at"]["N"]) > start for item in live)

        self.wait(committed, "all shards to have caught up")

    def _read(self, port: int) -> None:
        for path in _PAGES:
            connection = http.client.HTTPConnection(HOST, port, timeout=30)
            connection.request("GET", path)
            connection.getresponse().read()
            connection.close()

    def _messages(self, step: str) -> list[dict[str, Any]]:
        url = self._clients.sqs.get_queue_url(QueueName=QUEUES[step].of(self._settings))["QueueUrl"]
        found: list[dict[str, Any]] = []

        def received() -> bool:
            answer = self._clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            found.extend(self._record(step, message["MessageId"], message["Body"]) for message in answer.get("Messages", []))
            return any(_PRODUCT in message["body"] for message in found)

        self.wait(received, f"orders in {step}")
        return found

    def _record(self, step: str, message_id: str, body: str) -> dict[str, Any]:
        """As Lambda hands a message over."""
        return {
            "messageId": message_id,
            "receiptHandle": message_id,
            "body": body,
            "attributes": {},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{QUEUES[step].of(self._settings)}",
            "awsRegion": "us-east-1",
        }

    def _invoke(self, function: str, event: object) -> None:
        self._program(
            f"order-{function}", "tests.infra.recording.functions", function, stdin=msgspec.json.encode(event).decode()
        )

    def _choreography(self) -> None:
        for function, step in (("reserve", "placed"), ("confirm", "reserved"), ("notify", "settled")):
            messages = self._messages(step)
            self._invoke(function, {"Records": messages})
            if function == "reserve":
                placed = messages
        # the same message comes again, as SQS may do
        self._invoke("reserve", {"Records": placed})
        self._clients.stepfunctions.create_state_machine(
            name=STATE_MACHINE.of(self._settings),
            definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
            roleArn="arn:aws:iam::000000000000:role/recorded",
        )
        body = {"step": "placed", "order": _order("t-started", 1)}
        self._invoke("start", {"Records": [self._record("placed", "m-1", json.dumps(body))]})

    def _orchestration(self) -> None:
        """One order that goes through, one that is sold out, one that fraud blocks, one that a failed step gives back."""
        for order_id, quantity, verdict in (
            ("t-good", 1, "approve"),
            ("t-sold-out", 1000, "approve"),
            ("t-blocked", 1, "block"),
            ("t-failed", 1, "approve"),
        ):
            order = _order(order_id, quantity)
            self._clients.dynamodb.put_item(
                TableName=DECISIONS.of(self._settings),
                Item={
                    "event_id": {"S": f"e-{order_id}"},
                    "purchase": {"S": msgspec.convert(order, Order).purchase},
                    "verdict": {"S": verdict},
                },
            )
            self._place(order)
            self._invoke("task", {"do": "reserve", "order": order})
            self._invoke("task", {"do": "release" if order_id == "t-failed" else "confirm", "order": order, "reason": "failed"})
            self._invoke("task", {"do": "notify", "order": order})

    def _place(self, order: dict[str, Any]) -> None:
        """As the worker places it."""
        table = OrdersTable(self._clients.dynamodb, ORDERS.of(self._settings), INVENTORY.of(self._settings))
        table.place(msgspec.convert(order, Order), int(time.time()))


def _event(order: str, amount: int) -> dict[str, Any]:
    return {
        "type": "purchase",
        "event_id": f"e-{order}",
        "user_id": "u-recorded",
        "session_id": "s-1",
        "occurred_at": int(time.time() * 1000),
        "order_id": f"o-{order}",
        "items": [{"product_id": _PRODUCT, "quantity": 1, "price": amount}],
        "amount": amount,
        "currency": "EUR",
    }


def _order(order_id: str, quantity: int) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "event_id": f"e-{order_id}",
        "user_id": "u-recorded",
        "occurred_at": int(time.time() * 1000),
        "amount": 1000,
        "currency": "EUR",
        "lines": [{"product_id": _PRODUCT, "quantity": quantity}],
    }
