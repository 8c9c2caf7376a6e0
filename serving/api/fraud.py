"""``GET /v1/fraud/…`` and ``/v1/decisions/…``: what the API and the page Fraud answer of decisions; nobody is named in them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from clickstream.consumers.fraud import views
from clickstream.consumers.fraud.views import Action, DecidedMinute, Decision, Decisions, Review, Verdict, alert_part, as_json
from clickstream.errors import UserMistake
from clickstream.serving.api.operation import FROM, TO, Moment, Operation, Sheet, choice, count, key, text
from clickstream.serving.moments import iso

MOST_ALERTS = 200
MINUTE_MS = 60_000
DAY_MS = 86_400_000
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

    id: Annotated[str, Meta(description="of the decision: the event id, unless another purchase had that before")]
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
    reviews: Annotated[list[Review], Meta(description="what people did about it, the latest last")] = []


class Match(Alert, frozen=True, kw_only=True):
    """One decision, and what was asked for it."""

    matched: Annotated[str, Meta(description="what the id is of this purchase: event or order; clients make both")]


class DecisionAnswer(Match, frozen=True, kw_only=True):
    """One decision with what the model saw."""

    features: dict[str, float | None]
    others: Annotated[list[Match], Meta(description="on further purchases that have this id, as event or order")] = []
    more: Annotated[bool, Meta(description="whether the order has even more purchases")] = False


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Reviews and blocks, the latest first. ``next``, asked as ``before``, answers those behind them; null: there are none."""

    alerts: list[Alert]
    next: str | None = None


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What a person does about a decision: a verdict of their own (approve, block), or what became known (fraud, genuine)."""

    id: str
    action: Action
    by: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^\S[^\x00-\x1f]*$", description="the person's name")]


_Told = TypeVar("_Told", bound=Alert)


def _told(kind: type[_Told], decision: Decision, reviews: Mapping[str, list[Review]], **others: Any) -> _Told:
    """Without the fields that name the buyer: conversion drops what the type does not have."""
    known = {"id": decision.key, "reviews": msgspec.to_builtins(reviews.get(decision.key, []))}
    return msgspec.convert(as_json(decision) | known | others, kind)


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


def _read_alerts(risk: Decisions, _: int, *, count: int, days: int, status: str, verdict: str, before: str | None) -> Alerts:
    alarms = risk.alerts(most=count, within_ms=days * DAY_MS, before=before)
    wanted = (alarm for alarm in alarms if verdict in ("any", alarm.verdict))
    found: list[Alert] = []
    last: str | None = None
    while batch := list(islice(wanted, count)):
        reviews = risk.reviews(batch)
        for decision in batch:
            if status != "any" and (status == "done") != (decision.key in reviews):
                continue
            if len(found) == count:
                return Alerts(alerts=found, next=last)
            found.append(_told(Alert, decision, reviews))
            last = alert_part(decision)
    return Alerts(alerts=found)


def _read_decision(risk: Decisions, _: int, *, event_id: str) -> DecisionAnswer | None:
    found, more = risk.find(event_id)
    if not found:
        return None
    reviews = risk.reviews([each for _, each in found])
    (matched, first), *others = found
    told = [msgspec.to_builtins(_told(Match, other, reviews, matched=by)) for by, other in others]
    return _told(DecisionAnswer, first, reviews, matched=matched, others=told, more=more)


def _review(risk: Decisions, _: int, *, sent: Act) -> Alert | None:
    decision = risk.note(sent.id, sent.action, sent.by)
    return None if decision is None else _told(Alert, decision, risk.reviews([decision]))


def _minutes(answer: Decided) -> Iterator[list[Any]]:
    yield ["minute", "approve", "review", "block"]
    yield from ([iso(each.start), each.approve, each.review, each.block] for each in answer.minutes)


_COLUMNS = ["event_id", "order_id", "verdict", "score", "amount", "currency", "source", "model_version"]


def _alerts(answer: Alerts) -> Iterator[list[Any]]:
    yield ["decided_at", *_COLUMNS, "reasons", "reviews"]
    for each in answer.alerts:
        reasons = "; ".join(f"{why.feature} {why.effect:+.2f}" for why in each.reasons)
        reviews = "; ".join(f"{done.action} by {done.by} {iso(done.at)}" for done in each.reviews)
        yield [iso(each.decided_at), *(getattr(each, name) for name in _COLUMNS), reasons, reviews]


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
    "The latest reviews and blocks, with reasons and what people did about them",
    "risk",
    Alerts,
    _read_alerts,
    (
        count("count", 50, MOST_ALERTS, "at most so many"),
        count("days", 1, 7, "decided in so many days"),
        choice("status", ("any", "open", "done"), "any", "open: nobody has done anything about it"),
        choice("verdict", ("any", "review", "block"), "any", "what was decided"),
        text("before", "`next` of an earlier answer: what lies behind it"),
    ),
    Sheet("alerts", _alerts),
)
DECISION = Operation(
    "/v1/decisions/{event_id}",
    "The decision on one purchase",
    "risk",
    DecisionAnswer,
    _read_decision,
    (key("event_id", "event_id", "of the purchase; or its order's id", place="path"),),
    absent="there is no decision on that event or order (yet); only purchases are decided on",
)
REVIEW = Operation(
    "/v1/fraud/reviews",
    "Note what a person does about a decision: approve, block, fraud or genuine",
    "risk",
    Alert,
    _review,
    absent="there is no such decision",
    body=Act,
)
