"""What a candidate would have decided, as small items of the outcomes table. Pure.

window                       part
shadow#VERSION#<0 to 15>     <event id>␟<purchase>      spread over partitions, since a shadow reads as fast as it can
"""

import zlib
from collections.abc import Iterable
from typing import Any

import msgspec

from clickstream.aws.items import Value, item
from clickstream.consumers.fraud.decisions import Decision
from clickstream.consumers.fraud.outcomes import euro_cents
from clickstream.models.fraud.verdicts import Verdict
from clickstream.purchases import reused

PARTITIONS = 16
KEPT_S = 14 * 86_400


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """``cents``: the amount in euro cents, 0 in an unknown currency."""

    event_id: str
    purchase: str
    occurred_at: int
    cents: int
    verdict: Verdict
    score: float


def item_of(decision: Decision, version: str, now_s: int) -> dict[str, Any]:
    """``decision``: as the candidate would have made it, safeguards and all."""
    told = {name: getattr(decision, name) for name in ("event_id", "purchase", "occurred_at", "verdict", "score")}
    values: dict[str, Value] = {
        "window": window(version, zlib.crc32(decision.event_id.encode()) % PARTITIONS),
        "part": reused(decision.event_id, decision.purchase),
        "opinion": msgspec.msgpack.encode(Opinion(**told, cents=euro_cents(decision) or 0)),
        "expires_at": now_s + KEPT_S,
    }
    return item(values)


def window(version: str, partition: int) -> str:
    return f"shadow#{version}#{partition}"


def opinions_of(items: Iterable[Any]) -> list[Opinion]:
    """Raises msgspec.MsgspecError."""
    return [_decoder.decode(item["opinion"]["B"]) for item in items]


_decoder = msgspec.msgpack.Decoder(Opinion)
