"""What was decided and what became known of it, as small items by hour, and minutes counted from them. Pure.

    window                    part
    <start of the hour, ms>   <start of the minute>#decided#<key>         one per decision, by the time of the decision
    <start of the hour, ms>   <start of the minute>#label#<key>           one per purchase of which the truth is known
    alerts#<hour>             <time of the decision>#<key>                one per review or block, the decision in it
    order#<order id>          <key>                                       one per decision, which is found by its order

A decision's key is its event id, unless that was used before (``Decision.key``).
Every item is a function of the decision that stands: whoever writes it again writes the same.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import msgspec

from clickstream.aws.boto_types import AttributeValueTypeDef
from clickstream.aws.items import Value, item
from clickstream.consumers.fraud.decisions import Decision
from clickstream.models.fraud.labels import GENUINE
from clickstream.models.fraud.rows import EURO_CENTS
from clickstream.models.fraud.verdicts import Verdict

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
#: DynamoDB's TTL may delete an item after this time; the decisions themselves are kept longer.
KEPT_S = 90 * 86_400
_DECIDED, _LABEL = "decided", "label"


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What the labels say of the decisions that have one. Money in euro cents; alarms are reviews and blocks."""

    labelled: int = 0
    frauds: int = 0
    caught: int = 0
    """Frauds among the alarms."""
    alarms: int = 0
    """Alarms whose truth is known."""
    money: int = 0
    """Of the frauds."""
    money_caught: int = 0

    @classmethod
    def of(cls, judged: Iterable[tuple[Verdict, int, str | None]]) -> "Truth":
        """Of decisions as (verdict, euro cents, what is known of it); None: nothing."""
        known = [
            (verdict is not Verdict.APPROVE, cents, kind != GENUINE) for verdict, cents, kind in judged if kind is not None
        ]
        return cls(
            labelled=len(known),
            frauds=sum(fraud for _, _, fraud in known),
            caught=sum(alarm and fraud for alarm, _, fraud in known),
            alarms=sum(alarm for alarm, _, _ in known),
            money=sum(cents for _, cents, fraud in known if fraud),
            money_caught=sum(cents for alarm, cents, fraud in known if alarm and fraud),
        )

    @property
    def precision(self) -> float | None:
        """The share of the alarms that were frauds; None without labelled alarms."""
        return self.caught / self.alarms if self.alarms else None

    @property
    def recall(self) -> float | None:
        """The share of the frauds that were caught; None without known frauds."""
        return self.caught / self.frauds if self.frauds else None

    def __add__(self, other: "Truth") -> "Truth":
        return Truth(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


class DecidedMinute(msgspec.Struct, frozen=True, kw_only=True):
    """The purchases decided in ``[start_ms, start_ms + 60,000)``, by the clock of the deciding process."""

    start_ms: int
    counts: dict[Verdict, int]
    """Every verdict has an entry."""
    money: dict[Verdict, int]
    """Euro cents, by the coarse rates of ``clickstream.models.fraud.rows``; unknown currencies are left out."""
    versions: dict[str, int]
    """Decisions by the model version that made them."""
    truth: Truth = Truth()


def euro_cents(decision: Decision) -> int | None:
    """The amount; None in an unknown currency."""
    rate = EURO_CENTS.get(decision.currency)
    return None if rate is None else round(decision.amount * rate)


def items_of(decision: Decision) -> list[dict[str, AttributeValueTypeDef]]:
    """The items that stand for a decision beside its own: two, and one more for an alarm."""
    expires = {"expires_at": decision.decided_at // 1000 + KEPT_S}
    told: dict[str, Value] = {"verdict": decision.verdict.value, "model_version": decision.model_version}
    if (cents := euro_cents(decision)) is not None:
        told["cents"] = cents
    found: list[dict[str, Value]] = [
        {**_key(decision, _DECIDED), **told, **expires},
        {"window": order_window(decision.order_id), "part": decision.key, **expires},
    ]
    if decision.verdict is not Verdict.APPROVE:
        key = {"window": alerts_window(decision.decided_at), "part": alert_part(decision)}
        found.append({**key, "decision": msgspec.msgpack.encode(decision), **expires})
    return [item(values) for values in found]


def label_key(decision: Decision) -> dict[str, AttributeValueTypeDef]:
    return item(_key(decision, _LABEL))


def label_item(decision: Decision, kind: str, now_s: int) -> dict[str, AttributeValueTypeDef]:
    """``kind``: of fraud, or :data:`GENUINE`. A newer label replaces an older one."""
    return item({**_key(decision, _LABEL), "kind": kind, "expires_at": now_s + KEPT_S})


def _key(decision: Decision, what: str) -> dict[str, str]:
    minute_ms = decision.decided_at // MINUTE_MS * MINUTE_MS
    return {"window": window(minute_ms), "part": f"{part(minute_ms)}{what}#{decision.key}"}


def window(at_ms: int) -> str:
    """The partition that holds this moment's decisions."""
    return str(at_ms // HOUR_MS * HOUR_MS)


def alerts_window(at_ms: int) -> str:
    return f"alerts#{window(at_ms)}"


def alert_part(decision: Decision) -> str:
    return f"{decision.decided_at:014d}#{decision.key}"


def order_window(order_id: str) -> str:
    return f"order#{order_id}"


def part(minute_ms: int) -> str:
    """What the keys of a minute's items begin with."""
    return f"{minute_ms:014d}#"


def minutes(items: Iterable[Mapping[str, Any]]) -> Iterator[DecidedMinute]:
    """The minutes that hold anything, from their items of the table, in order of the key."""
    for start_ms, mine in groupby(items, lambda item: int(item["part"]["S"].partition("#")[0])):
        yield _minute(start_ms, mine)


def _minute(start_ms: int, items: Iterable[Mapping[str, Any]]) -> DecidedMinute:
    counts = dict.fromkeys(Verdict, 0)
    money = dict.fromkeys(Verdict, 0)
    versions: Counter[str] = Counter()
    kinds: dict[str, str] = {}
    decided: dict[str, tuple[Verdict, int]] = {}
    for each in items:
        _, what, key = each["part"]["S"].split("#", 2)
        if what == _LABEL:
            kinds[key] = each["kind"]["S"]
            continue
        verdict, cents = decided[key] = Verdict(each["verdict"]["S"]), int(each.get("cents", {"N": "0"})["N"])
        counts[verdict] += 1
        money[verdict] += cents
        versions[each["model_version"]["S"]] += 1
    truth = Truth.of((*judged, kinds.get(key)) for key, judged in decided.items())
    return DecidedMinute(start_ms=start_ms, counts=counts, money=money, versions=dict(versions), truth=truth)
