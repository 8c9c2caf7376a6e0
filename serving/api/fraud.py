"""What the page Fraud and the API read of ``consumers.fraud.views.Decisions``, and their answers: nobody is named in them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from consumers.fraud.views import Decision, as_json
from serving.api.answers import Moment


class TruthView(Protocol):
    """What the labels say of some decisions; money in euro cents."""

    @property
    def labelled(self) -> int: ...
    @property
    def frauds(self) -> int: ...
    @property
    def caught(self) -> int: ...
    @property
    def alarms(self) -> int: ...
    @property
    def money(self) -> int: ...
    @property
    def money_caught(self) -> int: ...


class MinuteView(Protocol):
    """The purchases decided in a minute, by verdict; money in euro cents."""

    @property
    def start_ms(self) -> int: ...
    @property
    def counts(self) -> Mapping[Any, int]: ...
    @property
    def money(self) -> Mapping[Any, int]: ...
    @property
    def versions(self) -> Mapping[str, int]: ...
    @property
    def truth(self) -> TruthView: ...


class PointerView(Protocol):
    """The model that serves."""

    @property
    def version(self) -> str: ...
    @property
    def promoted_at(self) -> int: ...
    @property
    def previous(self) -> tuple[str, ...]: ...


class Risk(Protocol):
    """Blocking, and for one thread at a time. Raises RetryLater when a store does not answer, Missing without a table."""

    def of(self, event_id: str) -> Decision | None: ...
    def others(self, event_id: str) -> Sequence[Decision]: ...
    def minutes(self, start_ms: int, end_ms: int) -> Sequence[MinuteView]: ...
    def alerts(self, *, most: int = 50, within_ms: int = ...) -> Sequence[Decision]: ...
    def serving(self) -> PointerView | None: ...


class OneAtATime:
    """A :class:`Risk` that any thread may ask."""

    def __init__(self, risk: Risk) -> None:
        self._risk = risk
        self._lock = threading.Lock()

    def of(self, event_id: str) -> Decision | None:
        with self._lock:
            return self._risk.of(event_id)

    def others(self, event_id: str) -> Sequence[Decision]:
        with self._lock:
            return self._risk.others(event_id)

    def minutes(self, start_ms: int, end_ms: int) -> Sequence[MinuteView]:
        with self._lock:
            return self._risk.minutes(start_ms, end_ms)

    def alerts(self, *, most: int = 50, within_ms: int = 86_400_000) -> Sequence[Decision]:
        with self._lock:
            return self._risk.alerts(most=most, within_ms=within_ms)

    def serving(self) -> PointerView | None:
        with self._lock:
            return self._risk.serving()


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


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """The model that serves, and those before it, the latest first."""

    version: str
    promoted_at: Moment
    previous: list[str]


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


def decision_answer(decision: Decision, others: Iterable[Decision] = ()) -> DecisionAnswer:
    # unknown fields (who bought) fall away
    return msgspec.convert(as_json(decision) | {"others": [as_json(other) for other in others]}, DecisionAnswer)


def alert(decision: Decision) -> Alert:
    return msgspec.convert(as_json(decision), Alert)


def serving(pointer: PointerView | None) -> Serving | None:
    if pointer is None:
        return None
    return Serving(version=pointer.version, promoted_at=pointer.promoted_at, previous=list(pointer.previous))


def decided(minutes: Iterable[MinuteView], start_ms: int, end_ms: int) -> Decided:
    """The minutes summed up."""
    counts = {"approve": 0, "review": 0, "block": 0}
    money = dict(counts)
    versions: dict[str, int] = {}
    told: list[Minute] = []
    truths: list[TruthView] = []
    for minute in minutes:
        # whatever a verdict is, it reads as text
        here = {str(verdict): count for verdict, count in minute.counts.items()}
        for verdict, count in here.items():
            counts[verdict] = counts.get(verdict, 0) + count
        for verdict, cents in minute.money.items():
            money[str(verdict)] = money.get(str(verdict), 0) + cents
        for version, count in minute.versions.items():
            versions[version] = versions.get(version, 0) + count
        truths.append(minute.truth)
        told.append(
            Minute(
                start=minute.start_ms,
                approve=here.get("approve", 0),
                review=here.get("review", 0),
                block=here.get("block", 0),
            )
        )
    return Decided(from_=start_ms, to=end_ms, counts=counts, money=money, versions=versions, truth=_truth(truths), minutes=told)


def _truth(truths: Sequence[TruthView]) -> Truth | None:
    labelled, frauds, caught, alarms, money, money_caught = (
        sum(getattr(truth, name) for truth in truths)
        for name in ("labelled", "frauds", "caught", "alarms", "money", "money_caught")
    )
    if not labelled:
        return None
    return Truth(
        labelled=labelled,
        frauds=frauds,
        caught=caught,
        alarms=alarms,
        precision=round(caught / alarms, 4) if alarms else None,
        recall=round(caught / frauds, 4) if frauds else None,
        money=money,
        money_caught=money_caught,
    )
