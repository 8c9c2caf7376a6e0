"""The account at the end: nothing lost, nothing doubled, and in the queue exactly the records that are no events."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from itertools import islice
from typing import Any

import msgspec

from clickstream.settings import environment
from load import ledger as ledgers
from tests.integration.drills.site import Site

Bytes = tuple[str, bytes]
"""Partition key and data of a record."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a drill."""

    report: dict[str, Any]
    """``clickstream load verify --json``."""
    rejected: int
    """Records that are no events, by the sender's account."""
    letters: int
    """Different dead letters in the queue: a lost answer to a put makes two records of one."""
    repeated: int
    """Messages beyond that: a worker died between the queue and its commit."""
    missing: int
    """Rejected records without a dead letter."""
    strange: int
    """Dead letters of records that nobody has sent."""

    @property
    def exact(self) -> bool:
        return bool(self.report["ok"]) and not self.missing and not self.strange


def settle(site: Site, *, stall_s: float = 90.0) -> Account:
    """Stop the load, wait for the answers, and compare."""
    site.stop_load()
    ledger = ledgers.read(site.ledger)
    sent = _rejected(ledger) + Counter(site.poison)
    # first all answers (the queue is complete only then), with the number of dead letters left open
    _verify(site, stall_s)
    messages = list(_receive(site))
    letters = {(message["shard"], message["position"]): _bytes(message) for message in messages}
    found = Counter(letters.values())
    # a record put twice is two dead letters, so their number comes from the queue; that each is there comes from the sender
    msgspec.structs.replace(ledger, malformed=len(letters)).write(site.ledger)
    return Account(
        report=_verify(site, stall_s),
        rejected=sent.total(),
        letters=len(letters),
        repeated=len(messages) - len(letters),
        missing=(sent - found).total(),
        strange=sum(count for record, count in found.items() if record not in sent),
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


def _rejected(ledger: ledgers.Ledger) -> Counter[Bytes]:
    """The load's records that are no events: its traffic is a function of the seed."""
    on_stream = (emission for _, emission in ledger.plan.emissions(ledger.started_ms) if emission.kind != "oversized")
    rejected = Counter((each.key, each.data) for each in islice(on_stream, ledger.sent) if each.event is None)
    assert rejected.total() == ledger.malformed, "not the traffic that was sent"
    return rejected


def _receive(site: Site) -> list[dict[str, Any]]:
    """Every message of the queue, which is empty after it."""
    sqs = site.clients.sqs
    url = sqs.get_queue_url(QueueName=site.settings.dead_letter_queue)["QueueUrl"]
    letters: list[dict[str, Any]] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        letters += [json.loads(message["Body"]) for message in messages]
        sqs.delete_message_batch(
            QueueUrl=url, Entries=[{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(messages)]
        )
    return letters


def _bytes(message: dict[str, Any]) -> Bytes:
    import base64

    return message["partition_key"], base64.b64decode(message["data"])
