"""What the pages are told of one event, without a stream."""

from __future__ import annotations

from typing import Any

from clickstream.consumers.explain.life import Effect
from clickstream.consumers.explain.views import Life, Processing, Put, Stretch
from clickstream.errors import RetryLater

T = 1_790_000_000_000
_ORDER = {
    "order_id": "order-1",
    "event_id": "placing",
    "amount": 2_500,
    "currency": "EUR",
    "lines": [{"product_id": "p-1", "quantity": 2}],
    "step": "rejected",
    "reason": "sold out: p-1",
    "told": "sent",
    "notified": "rejected",
}

_WISHED = Effect(
    what="answered with", facts={"rows": [{"table": "wishes", "window": T, "key": "<sku>", "values": {"wishes": 3}}]}
)


class Lives:
    """Knows one event; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def placing(self, order_id: str) -> tuple[str, str] | None:
        return ("a/b", "u&x=1") if order_id == "order-1" else None

    def life(self, event_id: str, **asked: Any) -> Life:
        self.asked.append({"event_id": event_id, **asked})
        if event_id == "down":
            raise RetryLater("Kinesis: it does not answer")
        known = event_id == "a/b"
        put = Put(
            shard="shard-1", sequence_number="7" * 56, sub_sequence_number=0, arrived_at=T, members=1, fate="takes effect"
        )
        return Life(
            event_id=event_id,
            made_at=None,
            type="login" if known else None,
            user_id="u" if known else None,
            session_id="s" if known else None,
            occurred_at=T if known else None,
            trace_id=None,
            searched=Stretch(None, None),
            shards_searched=["shard-1"],
            not_searched=[],
            puts=[put] if known else [],
            applications=[
                Processing(application="fraud", state="processed", shard="shard-1", owner="worker-1"),
                Processing(application="wishlist", state="processed", effect=_WISHED),
            ]
            if known
            else [],
            letters=None,
            order=_ORDER if known else None,
        )
