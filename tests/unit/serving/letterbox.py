"""Dead letters as a page is told of them, without a queue."""

from __future__ import annotations

from clickstream.consumers.dead_letters.views import Letter, Look
from clickstream.errors import RetryLater
from tests.unit.serving.shop import NOW

HOSTILE = "Expected `int` </td><img src=x onerror=alert(1)> `rm -rf /`; $(reboot)"


class Letterbox:
    """Forty letters of four applications that reject the same records, one of a store, one of a bug."""

    def __init__(self) -> None:
        self.down = False
        self.looks = 0

    def __call__(self) -> Look:
        self.looks += 1
        if self.down:
            raise RetryLater("SQS: it does not answer")
        bad = [_letter(n, application=("analytics", "fraud", "orders", "archive")[n % 4]) for n in range(40)]
        others = [
            _letter(40, kind="effect", reason="Item size has exceeded the maximum allowed size", path="", event_id=None),
            _letter(41, kind="bug", reason="ended the process 3 times: ZeroDivisionError", path="$"),
        ]
        return Look(visible=42, hidden=3, letters=[*reversed(others), *reversed(bad)])


def _letter(number: int, **fields: str | None) -> Letter:
    known = {
        "kind": "record",
        "reason": HOSTILE,
        "path": "$.items[0].price",
        "event_id": f"</a>{number}",
        "application": "fraud",
    }
    place = {"id": f"{number:012x}", "shard": "shardId-000000000003", "arrived_at": NOW - 10_000 + 100 * number}
    return Letter(**(known | place | fields))  # type: ignore[arg-type]  # each of its own type
