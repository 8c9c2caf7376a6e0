"""``GET /v1/fraud/…`` and ``/v1/decisions/…``: what the API and the page Fraud answer of decisions; nobody is named in them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from clickstream.consumers.fraud import views
from clickstream.consumers.fraud.views import DecidedMinute, Decision, Decisions, Verdict, as_json
from clickstream.errors import UserMistake
from clickstream.serving.api.operation import FROM, TO, Moment, Operation, Sheet, count, key
from clickstream.serving.moments import iso

MOST_ALERTS = 200
MINUTE_MS = 60_000
#: Of decisions by the minute: each is one item of a table.
LONGEST_DECIDED_MS = 6 * 3_600_000


Cents = Annotated[int, Meta(description="euro cents")]


class Minute(msgspec.Struct, frozen=True, kw_only=True):
    """Purchases by what was decided in a minute."""

    start: Moment
    approve: int
    review: int
    block: int


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What the labels say of the decisions that have one; alarms are reviews and blocks."""

    labelled: int
    frauds: int
    caught: Annotated[int, Meta(description="frauds among the alarms")]
    alarms: int
    precision: Annotated[float | None, Meta(description="the share of the labelled alarms that were frauds")]
    recall: Annotated[float | None, Meta(description="the share of the known frauds that were caught")]
    money: Annotated[Cents, Meta(description="of the known frauds, in euro cents")]
    money_caught: Cents


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions of a stretch of time, by the clock of the deciding process."""

    from_: Moment = msgspec.field(name="from")
    to: Moment
    counts: Annotated[dict[str, int], Meta(description="purchases by verdict")]
    money: Annotated[dict[str, int], Meta(description="euro cents by verdict")]
    versions: Annotated[dict[str, int], Meta(description="decisions by the model version that made them")]
    truth: Annotated[Truth | None, Meta(description="null while no label is known")]
    minutes: list[Minute]


class Why(msgspec.Struct, frozen=True):
    """A feature that moved the score, and how much (log odds; of an unsupervised model, in score)."""

    feature: str
    value: float | None
    effect: float


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One decision. ``amount``: minor units. Who bought is not told."""

    event_id: str
    order_id: str
    occurred_at: Moment
    decided_at: Moment
    amount: int
    currency: str
    verdict: str
    score: float
    reasons: list[Why]
    source: Annotated[str, Meta(description="model, unsupervised, rules, or safeguard")]
    model_version: str


class DecisionAnswer(Alert, frozen=True, kw_only=True):
    """One decision with what the model saw."""

    features: dict[str, float | None]
    others: Annotated[list[Alert], Meta(description="on further purchases under the same event id")] = []


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Reviews and blocks, the latest first."""

    alerts: list[Alert]


def alert(decision: Decision) -> Alert:
    """Without the fields that name the buyer: conversion drops what the type does not have."""
    return msgspec.convert(as_json(decision), Alert)


def decided(minutes: Sequence[DecidedMinute], start_ms: int, end_ms: int) -> Decided:
    return Decided(
        from_=start_ms,
        to=end_ms,
        counts={verdict: sum(minute.counts[verdict] for minute in minutes) for verdict in Verdict},
        money={verdict: sum(minute.money[verdict] for minute in minutes) for verdict in Verdict},
        versions=sum((Counter(minute.versions) for minute in minutes), Counter()),
        truth=_truth(sum((minute.truth for minute in minutes), views.Truth())),
        minutes=[Minute(start=each.start_ms, **{verdict: each.counts[verdict] for verdict in Verdict}) for each in minutes],
    )


def _truth(truth: views.Truth) -> Truth | None:
    if not truth.labelled:
        return None
    precision, recall = (None if share is None else round(share, 4) for share in (truth.precision, truth.recall))
    return Truth(**msgspec.structs.asdict(truth), precision=precision, recall=recall)


def _read_decided(risk: Decisions, now_ms: int, *, start: int | None, end: int | None) -> Decided:
    end_ms = (now_ms // MINUTE_MS + 1) * MINUTE_MS if end is None else end
    start_ms = end_ms - 60 * MINUTE_MS if start is None else start
    if not 0 <= end_ms - start_ms <= LONGEST_DECIDED_MS:
        raise UserMistake("`from` is after `to`, or more than 6 hours before it", hint="ask for a shorter time")
    return decided(risk.minutes(start_ms, end_ms), start_ms, end_ms)


def _read_alerts(risk: Decisions, _: int, *, count: int) -> Alerts:
    return Alerts(alerts=[alert(decision) for decision in risk.alerts(most=count)])


def _read_decision(risk: Decisions, _: int, *, event_id: str) -> DecisionAnswer | None:
    found = risk.of(event_id)
    if found is None:
        return None
    others = [as_json(other) for other in risk.others(event_id)]
    return msgspec.convert(as_json(found) | {"others": others}, DecisionAnswer)


def _minutes(answer: Decided) -> Iterator[list[Any]]:
    yield ["minute", "approve", "review", "block"]
    yield from ([iso(each.start), each.approve, each.review, each.block] for each in answer.minutes)


_COLUMNS = ["event_id", "order_id", "verdict", "score", "amount", "currency", "source", "model_version"]


def _alerts(answer: Alerts) -> Iterator[list[Any]]:
    yield ["decided_at", *_COLUMNS, "reasons"]
    for each in answer.alerts:
        reasons = "; ".join(f"{why.feature} {why.effect:+.2f}" for why in each.reasons)
        yield [iso(each.decided_at), *(getattr(each, name) for name in _COLUMNS), reasons]


DECIDED = Operation(
    "/v1/fraud/decided",
    "Decisions on purchases, by minute of the decision",
    "risk",
    Decided,
    _read_decided,
    (FROM, TO),
    Sheet("decided", _minutes),
)
ALERTS = Operation(
    "/v1/fraud/alerts",
    "The latest reviews and blocks of a day, with reasons",
    "risk",
    Alerts,
    _read_alerts,
    (count("count", 50, MOST_ALERTS, "at most so many"),),
    Sheet("alerts", _alerts),
)
DECISION = Operation(
    "/v1/decisions/{event_id}",
    "The decision on one purchase",
    "risk",
    DecisionAnswer,
    _read_decision,
    (key("event_id", "event_id", "of the purchase", place="path"),),
    absent="there is no decision on that event (yet); only purchases are decided on",
)
