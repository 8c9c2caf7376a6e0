"""Fraud decisions beside the purchases that were sent: each decided exactly once, as what it was. Pure.

Whether a verdict is right is not judged; since the adversaries are known, it is reported as figures.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from clickstream.load.verdict.comparers.compared import Compared, some
from clickstream.load.verdict.ledger import Bought

#: A decision is promised within a second; later ones are counted as late.
PROMISED_MS = 1_000


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as the table has it. ``alert``: "" when none is due, otherwise "pending" or "sent"."""

    event_id: str
    order_id: str
    user_id: str
    amount: int
    currency: str
    occurred_at: int
    decided_at: int
    verdict: str
    score: float
    alert: str = ""


def _id(purchase: Bought | Decided) -> tuple[str, str]:
    """An event id is its client's word: two users may say the same."""
    return purchase.event_id, purchase.user_id


_SAME = ("order_id", "user_id", "amount", "currency", "occurred_at")


def compare(purchases: Sequence[Bought], decisions: Sequence[Decided], *, started_ms: int, alone: bool = True) -> Compared:
    """Decisions made before ``started_ms`` (milliseconds since the epoch) are of earlier runs, and left out; so are those on
    purchases of others, unless nobody else sent any (``alone``)."""
    by_id = {_id(each): each for each in decisions}
    pairs = [(each, by_id.pop(_id(each))) for each in purchases if _id(each) in by_id]
    decided = {_id(each) for each, _ in pairs}
    left = {each.event_id: each for each in by_id.values()}
    # under the right event id and another user: a decision of what it was not
    pairs += [(each, left.pop(each.event_id)) for each in purchases if _id(each) not in decided and each.event_id in left]
    decided |= {_id(each) for each, _ in pairs}
    strangers = [each for each in left.values() if each.decided_at >= started_ms]
    others, strangers = (0, strangers) if alone else (len(strangers), [])
    missing = [each for each in purchases if _id(each) not in decided]
    compared = Compared(
        compared=len(purchases),
        lost=len(missing),
        duplicated=len(strangers),
        late=sum(decision.decided_at - purchase.sent_ms > PROMISED_MS for purchase, decision in pairs),
        figures=_figures(pairs),
    )
    if others:
        compared.left_out["decisions on purchases of others"] = others
    if missing:
        compared.problems.append(f"fraud lost {len(missing):,} purchases: no decision on {some([e.event_id for e in missing])}")
    if strangers:
        compared.problems.append(
            f"fraud decided {len(strangers):,} purchases that nobody sent: {some([each.event_id for each in strangers])}"
        )
    for name in _SAME:
        unequal = [(must, has) for must, has in pairs if getattr(must, name) != getattr(has, name)]
        if unequal:
            compared.wrong += len(unequal)
            must, has = unequal[0]
            swapped = "fraud swapped visitors: " if name == "user_id" else ""
            compared.problems.append(
                f"{swapped}{len(unequal):,} decisions have another {name}: "
                f"{getattr(has, name)} for {getattr(must, name)} in {must.event_id}"
            )
    untold = [has for _, has in pairs if has.verdict != "approve" and has.alert != "sent"]
    if untold:
        compared.wrong += len(untold)
        compared.problems.append(f"fraud sent no alert for {len(untold):,} decisions: {some([e.event_id for e in untold])}")
    return compared


def _figures(pairs: Sequence[tuple[Bought, Decided]]) -> dict[str, float]:
    figures: dict[str, float] = {}
    waits = sorted(decision.decided_at - purchase.sent_ms for purchase, decision in pairs)
    for percent in (50, 99) if waits else ():
        figures[f"decided_p{percent}_ms"] = waits[min(len(waits) - 1, len(waits) * percent // 100)]
    by_adversary: dict[str, list[str]] = {}
    for purchase, decision in pairs:
        by_adversary.setdefault(purchase.adversary, []).append(decision.verdict)
    for adversary, verdicts in sorted(by_adversary.items()):
        stopped = sum(verdict != "approve" for verdict in verdicts)
        name = f"stopped_{adversary}" if adversary else "stopped_genuine"
        figures[name] = round(stopped / len(verdicts), 4)
    return figures
