"""The account at the end: nothing lost, nothing doubled, and in the queue exactly the records that are no events."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections import Counter
from itertools import islice
from typing import Any

import msgspec

from clickstream.events import AnyEvent, Purchase
from clickstream.settings import environment
from load import ledger as ledgers
from tests.integration.drills.shards import now_ms
from tests.integration.drills.site import Site

Bytes = tuple[str, bytes]
"""Partition key and data of a record."""


class Letters(msgspec.Struct, frozen=True, kw_only=True):
    """One application's dead letters beside the records that are no events."""

    different: int
    """Different dead letters in the queue: a lost answer to a put makes two records of one."""
    repeated: int
    """Messages beyond that: a worker died between the queue and its commit."""
    missing: int
    """Rejected records without a dead letter."""
    strange: int
    """Dead letters of records that nobody has sent."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a drill."""

    report: dict[str, Any]
    """``clickstream load verify --json``: analytics."""
    rejected: int
    """Records that are no events, by the sender's account."""
    letters: dict[str, Letters]
    """Application → its dead letters."""
    events: int
    """Events sent, each once."""
    folded: dict[str, int]
    """Application → events folded, by its shards' counts."""
    purchases: int
    """Purchases sent, each once."""
    undecided: int
    """Purchases without a decision."""
    invented: int
    """Decisions about purchases that nobody has sent."""

    @property
    def exact(self) -> bool:
        letters = not any(each.missing or each.strange for each in self.letters.values())
        folded = all(count == self.events for count in self.folded.values())
        return bool(self.report["ok"]) and letters and folded and not self.undecided and not self.invented


def settle(site: Site, *, stall_s: float = 90.0) -> Account:
    """Stop the load, wait for the answers, and compare."""
    site.stop_load()
    ledger = ledgers.read(site.ledger)
    valid, rejected = _sent(ledger)
    rejected += Counter(site.poison)
    # first all answers (the queue is complete only then), with the number of dead letters left open
    _verify(site, stall_s)
    site.shards.wait_until_caught_up(now_ms(), timeout_s=stall_s)
    messages = list(_receive(site))
    letters = {application: _letters(messages, application, rejected) for application in site.applications}
    # a record put twice is two dead letters, so their number comes from the queue; that each is there comes from the sender
    msgspec.structs.replace(ledger, malformed=letters["analytics"].different).write(site.ledger)
    purchases = {event.event_id for event in valid if isinstance(event, Purchase)}
    decided = _decided(site) if "fraud" in site.applications else purchases
    return Account(
        report=_verify(site, stall_s),
        rejected=rejected.total(),
        letters=letters,
        events=len({event.event_id for event in valid}),
        folded={application: site.shards.folded(application) for application in site.applications},
        purchases=len(purchases),
        undecided=len(purchases - decided),
        invented=len(decided - purchases),
    )


def _letters(messages: list[dict[str, Any]], application: str, rejected: Counter[Bytes]) -> Letters:
    own = [message for message in messages if message["application"] == application]
    different = {(message["shard"], message["position"]): _bytes(message) for message in own}
    found = Counter(different.values())
    return Letters(
        different=len(different),
        repeated=len(own) - len(different),
        missing=(rejected - found).total(),
        strange=sum(count for record, count in found.items() if record not in rejected),
    )


def _verify(site: Site, stall_s: float) -> dict[str, Any]:
    # the drills run analytics alone, and count the queue's letters themselves
    command = ["load", "verify", "--only", "analytics", "--ledger", str(site.ledger), "--stall", str(stall_s), "--json"]
    with (site.folder / "verify.log").open("ab") as log:
        done = subprocess.run(
            [sys.executable, "-m", "clickstream.cli", *command],
            env=environment(site.settings),
            stdout=subprocess.PIPE,
            stderr=log,
            check=False,
        )
    assert done.returncode in (0, 1), f"verify failed: {site.folder / 'verify.log'}"
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _sent(ledger: ledgers.Ledger) -> tuple[list[AnyEvent], Counter[Bytes]]:
    """The load's events, and its records that are no events: its traffic is a function of its plan."""
    on_stream = (emission for _, emission in ledger.plan.emissions(ledger.started_ms) if emission.kind != "oversized")
    emissions = list(islice(on_stream, ledger.sent))
    rejected = Counter((emission.key, emission.data) for emission in emissions if emission.event is None)
    assert rejected.total() == ledger.malformed, "not the traffic that was sent"
    return [emission.event for emission in emissions if emission.event is not None], rejected


def _decided(site: Site) -> set[str]:
    """Event ids of the decisions there are; the table has one at most for each."""
    pages = site.clients.dynamodb.get_paginator("scan").paginate(
        TableName=site.settings.decisions_table, ProjectionExpression="event_id", ConsistentRead=True
    )
    return {item["event_id"]["S"] for page in pages for item in page["Items"]}


def _receive(site: Site) -> list[dict[str, Any]]:
    """Every message of the queue, which is empty after it."""
    sqs = site.clients.sqs
    url = sqs.get_queue_url(QueueName=site.settings.dead_letter_queue)["QueueUrl"]
    letters: list[dict[str, Any]] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        letters += [_whole(site, json.loads(message["Body"])) for message in messages]
        sqs.delete_message_batch(
            QueueUrl=url, Entries=[{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(messages)]
        )
    return letters


def _whole(site: Site, message: dict[str, Any]) -> dict[str, Any]:
    """A record too large for a message has its bytes in S3."""
    key = message.get("data_s3_key")
    if key is not None:
        data = site.clients.s3.get_object(Bucket=site.settings.state_bucket, Key=key)["Body"].read()
        message["data"] = base64.b64encode(data).decode()
    return message


def _bytes(message: dict[str, Any]) -> Bytes:
    return message["partition_key"], base64.b64decode(message["data"])
