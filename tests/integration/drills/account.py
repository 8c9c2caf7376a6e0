"""The account at the end: nothing lost, nothing doubled, and in the queue exactly the records that are no events."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

import msgspec

from clickstream.load.verdict import derivation, stores
from clickstream.load.verdict.comparers import archived, decisions, placed
from clickstream.load.verdict.comparers.compared import Compared
from clickstream.load.verdict.ledger import Bought, Ledger, WindowTotals, read
from clickstream.load.verdict.send_log import EVENTS, Entry
from clickstream.platform import DEAD_LETTERS, STATE
from clickstream.settings import environment
from tests.integration.drills.rig.shards import now_ms
from tests.integration.drills.rig.site import Site


class Letters(msgspec.Struct, frozen=True, kw_only=True):
    """One application's dead letters beside the records that are no events."""

    different: int
    """Different dead letters in the queue: a lost answer to a put makes two records of one."""
    repeated: int
    """Messages beyond that: a worker died between the queue and its commit."""
    missing: int
    """Rejected records without a dead letter."""
    strange: int
    """Dead letters of records that nobody has sent, or of effects that nothing refused."""
    effects: int = 0
    """Effects that a store never takes: each in one letter or more."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a drill."""

    report: dict[str, Any]
    """``clickstream load verify --json``: analytics, and the archive if it runs."""
    compared: dict[str, Compared]
    """Decisions and orders beside the purchases."""
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
    never_taken: int
    """Purchases of which one application's effect is refused for ever."""
    ended_by_refusal: list[str]
    """Processes that ended while something was only not allowed."""

    denied: list[str]
    """What a role's policy lacks."""

    @property
    def problems(self) -> list[str]:
        """What is not as it must be, a sentence each."""
        found = [str(each) for each in self.report["problems"]]
        found += [problem for each in self.compared.values() for problem in each.problems]
        found += [
            f"{application}: {each.missing} dead letters missing, {each.strange} strange"
            for application, each in self.letters.items()
            if each.missing or each.strange
        ]
        found += [
            f"{application} folded {count} of {self.events} events"
            for application, count in self.folded.items()
            if count != self.events
        ]
        found += [f"no policy allows {each}" for each in self.denied]
        return found + [f"ended: {process}" for process in self.ended_by_refusal]

    @property
    def exact(self) -> bool:
        return bool(self.report["ok"]) and not self.problems and all(each.is_exact for each in self.compared.values())


def settle(site: Site, *, stall_s: float = 90.0) -> Account:
    """Stop the load, wait for the answers, and compare."""
    site.stop_load()
    ledger = read(site.ledger)
    entries, rejected = _sent(ledger)
    entries += [Entry(event.occurred_at, event) for event in site.extra]
    rejected += Counter(data for _, data in site.poison)
    ledger = _with(ledger, entries, site)
    ledger.write(site.ledger)
    # first all answers (the queue is complete only then), with the number of dead letters left open
    _verify(site, stall_s)
    site.shards.wait_until_caught_up(now_ms(), timeout_s=stall_s)
    messages = list(_receive(site))
    letters = {application: _letters(messages, application, rejected, site) for application in site.applications}
    # a record put twice is two dead letters, so their number comes from the queue; that each is there comes from the sender
    msgspec.structs.replace(ledger, malformed=letters["analytics"].different).write(site.ledger)
    return Account(
        report=_verify(site, stall_s),
        compared=_compared(site, ledger),
        rejected=rejected.total(),
        letters=letters,
        events=len(entries),
        folded={application: site.shards.folded(application) for application in site.applications},
        purchases=len(ledger.purchases),
        never_taken=len(site.never_taken),
        ended_by_refusal=site.ended_by_refusal,
        denied=sorted(site.denied()),
    )


def _with(ledger: Ledger, entries: Sequence[Entry], site: Site) -> Ledger:
    """The ledger with the events that the drills put themselves."""
    if not site.extra:
        return ledger
    events = [entry.event for entry in entries]
    return msgspec.structs.replace(
        ledger,
        sent=ledger.sent + site.records_put,
        put=ledger.put + site.records_put,
        events=len(entries),
        flushed_ms=max(ledger.flushed_ms, *(event.occurred_at for event in site.extra)),
        windows=[WindowTotals(window, totals) for window, totals in derivation.windows(entries).items()],
        purchases=ledger.purchases + derivation.purchases(entries[-len(site.extra) :], {}),
        archived=archived.fingerprints((event.event_id, event.user_id) for event in events),
    )


def _compared(site: Site, ledger: Ledger) -> dict[str, Compared]:
    """Decisions and orders beside the purchases, but for those that the store never takes."""

    def taken(application: str) -> list[Bought]:
        never = {event.event_id for refused_for, event in site.never_taken if refused_for == application}
        return [each for each in ledger.purchases if each.event_id not in never]

    found: dict[str, Compared] = {}
    if "fraud" in site.applications:
        decided = stores.decisions(site.clients, site.settings)
        found["fraud"] = decisions.compare(taken("fraud"), decided, started_ms=ledger.started_ms)
    if "orders" in site.applications:
        orders = stores.orders(site.clients, site.settings)
        found["orders"] = placed.compare(taken("orders"), orders, is_first=True)
    return found


def _letters(messages: list[dict[str, Any]], application: str, rejected: Counter[bytes], site: Site) -> Letters:
    own = [message for message in messages if message["application"] == application]
    of_records = [message for message in own if message.get("effect") is None]
    different = {(message["shard"], message["position"]): _bytes(message) for message in of_records}
    found = Counter(different.values())
    effects = [message["effect"] for message in own if message.get("effect") is not None]
    never = [event.event_id for refused_for, event in site.never_taken if refused_for == application]
    # an offer names its visitor and an order its id; both begin as the event's id does
    tokens = [event_id.removesuffix("event") for event_id in never]
    return Letters(
        different=len(different),
        repeated=len(of_records) - len(different),
        missing=(rejected - found).total() + sum(not any(token in effect for effect in effects) for token in tokens),
        strange=sum(count for record, count in found.items() if record not in rejected)
        + sum(not any(token in effect for token in tokens) for effect in effects),
        effects=len(tokens),
    )


def _verify(site: Site, stall_s: float) -> dict[str, Any]:
    # what a store never takes is no part of the ledger, so fraud and orders are compared here, and so is the queue
    only = ",".join(name for name in ("analytics", "archive") if name in site.applications)
    command = ["load", "verify", "--only", only, "--ledger", str(site.ledger), "--stall", str(stall_s), "--json"]
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


def _sent(ledger: Ledger) -> tuple[list[Entry], Counter[bytes]]:
    """The load's events, and its records that are no events: its traffic is a function of its plan."""
    on_stream = (each for each in ledger.plan.emissions(ledger.started_ms) if each[1].kind != "oversized")
    emissions = list(islice(on_stream, ledger.sent))
    rejected = Counter(emission.data for _, emission in emissions if emission.event is None)
    assert rejected.total() == ledger.malformed, "not the traffic that was sent"
    return [
        Entry(ledger.started_ms + offset_us // 1000, emission.event)
        for offset_us, emission in emissions
        if emission.event is not None and emission.kind in EVENTS
    ], rejected


def _receive(site: Site) -> list[dict[str, Any]]:
    """Every message of the queue, which is empty after it."""
    sqs = site.clients.sqs
    url = sqs.get_queue_url(QueueName=DEAD_LETTERS.of(site.settings))["QueueUrl"]
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
        data = site.clients.s3.get_object(Bucket=STATE.of(site.settings), Key=key)["Body"].read()
        message["data"] = base64.b64encode(data).decode()
    return message


def _bytes(message: dict[str, Any]) -> bytes:
    # by its bytes alone: a line among others has no partition key of its own
    return base64.b64decode(message["data"])
