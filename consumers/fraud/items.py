"""A decision as an item of the decisions table, and back. Pure.

The key is ``event_id``; a further purchase under a used id has its own (:func:`clickstream.purchases.reused`), and the first
one's item names it in ``reused``. ``purchase`` is the content's fingerprint, which whoever looks for a decision compares.
``decision`` holds everything, as msgpack (JSON has no NaN); beside it stand the attributes that an
export or a console reads.
``alert`` is the outbox: "pending" from the same write as the decision, "sent" once the topic has it; absent for an approval.
"""

from typing import Any

import msgspec

from clickstream.aws.boto_types import AttributeValueTypeDef
from clickstream.aws.items import Value, item
from clickstream.consumers.fraud.decisions import Decision
from clickstream.models.fraud.verdicts import Verdict

#: DynamoDB's TTL may delete a decision after this time: chargebacks come within months.
KEPT_S = 400 * 86_400
PENDING, SENT = "pending", "sent"


def item_of(decision: Decision) -> dict[str, AttributeValueTypeDef]:
    shown: dict[str, Value] = {
        name: getattr(decision, name) for name in ("purchase", "user_id", "order_id", "occurred_at", "model_version")
    }
    kept: dict[str, Value] = {
        "event_id": decision.key,
        "verdict": decision.verdict.value,
        "decision": msgspec.msgpack.encode(decision),
        "expires_at": decision.decided_at // 1000 + KEPT_S,
    }
    alert = {} if decision.verdict is Verdict.APPROVE else {"alert": PENDING}
    return {**item({**shown, **kept, **alert}), "score": {"N": repr(decision.score)}}


def decision_of(item: dict[str, Any]) -> Decision:
    """Raises msgspec.MsgspecError when it is no decision's item."""
    return _decoder.decode(item["decision"]["B"])


_decoder = msgspec.msgpack.Decoder(Decision)
