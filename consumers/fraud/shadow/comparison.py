"""A candidate against the live model, on the purchases that both decided. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from clickstream.consumers.fraud.decisions import Decision
from clickstream.consumers.fraud.outcomes import Truth
from clickstream.consumers.fraud.shadow.opinion_items import Opinion
from clickstream.models.fraud.verdicts import Verdict


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One model's decisions. Money in euro cents; precision and recall are None while no label says them."""

    approved: int
    reviewed: int
    blocked: int
    alerts: int
    alerted_money: int
    truth: Truth
    precision: float | None
    recall: float | None
    money_missed: int
    """Of the known frauds that were approved."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """``changed``: purchases by what became of them, as "approve→block"; ``undecided``: the live model has not decided them."""

    purchases: int
    undecided: int
    live_versions: dict[str, int]
    live: Side
    candidate: Side
    changed: dict[str, int]


def compare(
    opinions: Iterable[Opinion], decided: Mapping[tuple[str, str], Decision], kinds: Mapping[str, str], *, from_ms: int
) -> Comparison:
    """``decided``: the live decisions by event id and purchase; ``kinds``: the truth by their keys.
    Purchases before ``from_ms`` do not count."""
    mine = [opinion for opinion in opinions if opinion.occurred_at >= from_ms]
    pairs = [(opinion, live) for opinion in mine if (live := decided.get((opinion.event_id, opinion.purchase))) is not None]
    changes = Counter(
        f"{live.verdict.value}→{opinion.verdict.value}" for opinion, live in pairs if live.verdict != opinion.verdict
    )
    return Comparison(
        purchases=len(pairs),
        undecided=len(mine) - len(pairs),
        live_versions=dict(Counter(live.model_version for _, live in pairs)),
        live=_side([(live.verdict, opinion.cents, kinds.get(live.key)) for opinion, live in pairs]),
        candidate=_side([(opinion.verdict, opinion.cents, kinds.get(live.key)) for opinion, live in pairs]),
        changed=dict(sorted(changes.items())),
    )


def _side(judged: Sequence[tuple[Verdict, int, str | None]]) -> Side:
    counts = Counter(verdict for verdict, _, _ in judged)
    alarms = [cents for verdict, cents, _ in judged if verdict is not Verdict.APPROVE]
    truth = Truth.of(judged)
    return Side(
        approved=counts[Verdict.APPROVE],
        reviewed=counts[Verdict.REVIEW],
        blocked=counts[Verdict.BLOCK],
        alerts=len(alarms),
        alerted_money=sum(alarms),
        truth=truth,
        precision=truth.precision,
        recall=truth.recall,
        money_missed=truth.money - truth.money_caught,
    )
