"""What the platform's stores hold, read with plain AWS calls as anybody could: no code of the platform is asked.

Raises Missing for what is not there, RetryLater when a service does not answer.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from clickstream.aws import Clients
from clickstream.consumers.archive.needs import ARCHIVE
from clickstream.consumers.fraud.needs import DECISIONS
from clickstream.consumers.orders.needs import ORDERS
from clickstream.consumers.recommendations.needs import OFFERS
from clickstream.errors import Missing, RetryLater
from clickstream.load.verdict import dead_letters
from clickstream.load.verdict.comparers.archived import Row, looked_at
from clickstream.load.verdict.comparers.decisions import Decided
from clickstream.load.verdict.comparers.letters import Letter
from clickstream.load.verdict.comparers.offers import Offered
from clickstream.load.verdict.comparers.placed import Placed
from clickstream.platform import DEAD_LETTERS, STATE
from clickstream.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def decisions(clients: Clients, settings: Settings) -> list[Decided]:
    """Every fraud decision."""
    return [_decided(item) for item in _scan(clients.dynamodb, DECISIONS.of(settings))]


def offers(clients: Clients, settings: Settings) -> list[Offered]:
    """Every visitor's offer; what strangers are shown is left out."""
    return [_offered(item) for item in _scan(clients.dynamodb, OFFERS.of(settings)) if item["subject"]["S"].startswith("user#")]


def orders(clients: Clients, settings: Settings) -> list[Placed]:
    """Every order; refused ones stand beside those that have their ids, and are left out."""
    items = _scan(clients.dynamodb, ORDERS.of(settings))
    return [_placed(item) for item in items if item["step"]["S"] != "refused"]


def archive(clients: Clients, settings: Settings) -> Iterator[Row]:
    """Every row of the archive's files, as its readers see them."""
    import pyarrow.parquet

    with _answering("S3"):
        pages = clients.s3.get_paginator("list_objects_v2").paginate(Bucket=ARCHIVE.of(settings))
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        for key in looked_at(keys):
            content = clients.s3.get_object(Bucket=ARCHIVE.of(settings), Key=key)["Body"].read()
            rows = pyarrow.parquet.read_table(io.BytesIO(content), columns=["event_id", "user_id"])
            yield from zip(rows["event_id"].to_pylist(), rows["user_id"].to_pylist(), strict=True)


def letters(clients: Clients, settings: Settings) -> list[Letter]:
    """Every message of the dead-letter queue; all stay in it."""
    with _answering("SQS"):
        sqs = clients.sqs
        try:
            url = sqs.get_queue_url(QueueName=DEAD_LETTERS.of(settings))["QueueUrl"]
        except sqs.exceptions.QueueDoesNotExist as error:
            raise Missing(f"no queue {DEAD_LETTERS.of(settings)}", hint='eval "$(clickstream local start)"') from error
        return [_letter(clients, settings, json.loads(body)) for body in dead_letters.bodies(sqs, url)]


def _scan(dynamodb: DynamoDBClient, table: str) -> Iterator[dict[str, Any]]:
    with _answering("DynamoDB"):
        try:
            for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
                yield from page["Items"]
        except dynamodb.exceptions.ResourceNotFoundException as error:
            raise Missing(
                f"no table {table}", hint='eval "$(clickstream local start)"; is CLICKSTREAM_NAME another?'
            ) from error


@contextmanager
def _answering(service: str) -> Iterator[None]:
    # boto3 is slow to import: only who reads pays
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise RetryLater(f"{service} does not answer: {error}") from error


def _decided(item: dict[str, Any]) -> Decided:
    whole: dict[str, Any] = msgspec.msgpack.decode(item["decision"]["B"])
    return Decided(
        event_id=whole["event_id"],
        order_id=item["order_id"]["S"],
        user_id=item["user_id"]["S"],
        amount=whole["amount"],
        currency=whole["currency"],
        occurred_at=int(item["occurred_at"]["N"]),
        decided_at=whole["decided_at"],
        verdict=item["verdict"]["S"],
        score=float(item["score"]["N"]),
        alert=item.get("alert", {}).get("S", ""),
    )


def _placed(item: dict[str, Any]) -> Placed:
    whole: dict[str, Any] = json.loads(item["order"]["S"])
    fields = {name: whole[name] for name in ("order_id", "event_id", "user_id", "amount", "currency", "occurred_at")}
    return Placed(**fields, told=item["told"]["S"])


def _offered(item: dict[str, Any]) -> Offered:
    listed: list[tuple[str, float, str | None]] = msgspec.msgpack.decode(item["items"]["B"])
    return Offered(
        user_id=item["subject"]["S"].removeprefix("user#"),
        items=[product for product, _, _ in listed],
        # a search is marked, so that it is taken for no product
        because=[because.removeprefix("\x1f") for _, _, because in listed if because is not None],
        made_at=int(item["made_at"]["N"]),
    )


def _letter(clients: Clients, settings: Settings, message: dict[str, Any]) -> Letter:
    data = base64.b64decode(message["data"])
    if message.get("data_s3_key"):
        # too large for a message
        data = clients.s3.get_object(Bucket=STATE.of(settings), Key=message["data_s3_key"])["Body"].read()
    return Letter(
        application=message["application"],
        shard=message["shard"],
        position=message["position"],
        arrived_ms=message["arrived_ms"],
        partition_key=message["partition_key"],
        data=data,
        reason=message["reason"],
        path=message.get("path", "$"),
    )
