"""The queue is read to its end, each letter once, even when letters appear again before the last of them is read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from clickstream.consumers.dead_letters.letters import Queue
from clickstream.consumers.runtime.faults.dead_letters import dead_letter
from clickstream.records.position import Position
from clickstream.settings import Settings


class SlowSqs:
    """One list from whose front is given: each call takes ``call_s`` of a clock that nothing else moves."""

    def __init__(self, letters: int, call_s: float) -> None:
        self.visible_at = {str(n): 0.0 for n in range(letters)}
        self.now = 0.0
        self._call_s = call_s
        self._lock = Lock()

    def receive_message(self, *, MaxNumberOfMessages: int, VisibilityTimeout: int, **_: object) -> dict[str, Any]:
        with self._lock:
            self.now += self._call_s
            some = [name for name, at in self.visible_at.items() if at <= self.now][:MaxNumberOfMessages]
            self.visible_at |= dict.fromkeys(some, self.now + VisibilityTimeout)
            return {"Messages": [{"MessageId": each, "Body": body(int(each)), "ReceiptHandle": each} for each in some]}

    def delete_message_batch(self, *, Entries: list[dict[str, Any]], **_: object) -> dict[str, Any]:
        for entry in Entries:
            del self.visible_at[entry["ReceiptHandle"]]
        return {}

    def change_message_visibility_batch(self, *, Entries: list[dict[str, Any]], **_: object) -> dict[str, Any]:
        with self._lock:
            for entry in Entries:
                assert entry["ReceiptHandle"] in self.visible_at, "a deleted letter is not given back"
                self.visible_at[entry["ReceiptHandle"]] = self.now + entry["VisibilityTimeout"]
            return {}


def body(number: int) -> str:
    letter = dead_letter(
        application="analytics",
        shard="shardId-000000000000",
        position=Position(number),
        partition_key="u",
        arrived_ms=number,
        reason="not JSON",
        path="$",
        data=b"x",
    )
    return msgspec.json.encode(letter).decode()


@pytest.mark.parametrize("call_s", [0.0, 10.0, 100.0])
def test_each_letter_is_read_once_and_given_back_at_any_pace(call_s: float) -> None:
    sqs = SlowSqs(letters=500, call_s=call_s)
    clients: Any = SimpleNamespace(sqs=sqs, s3=None)
    with ThreadPoolExecutor(8) as threads:
        queue = Queue("url", clients, Settings(), threads, lambda: sqs.now)
        received = queue.receive()
        assert [each.letter.arrived_ms for each in received] == list(range(500))
        assert {len(each.receipts) for each in received} == {1}
        queue.delete(received[:100])
        queue.release()
    assert len(sqs.visible_at) == 400
    assert all(at <= sqs.now for at in sqs.visible_at.values())
