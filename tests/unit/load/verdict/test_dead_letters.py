"""A long dead-letter queue is read to its end, each letter once, even when letters appear again before the last is read."""

from __future__ import annotations

from threading import Lock
from typing import Any

import pytest

from clickstream.load.verdict import dead_letters


class SlowQueue:
    """SQS as one list from whose front is given: each call takes ``call_s`` of a clock that nothing else moves."""

    def __init__(self, messages: int, call_s: float) -> None:
        self.visible_at = {str(n): 0.0 for n in range(messages)}
        self.received = dict.fromkeys(self.visible_at, 0)
        self.now = 0.0
        self._call_s = call_s
        self._lock = Lock()

    def clock(self) -> float:
        return self.now

    def receive_message(self, *, MaxNumberOfMessages: int, VisibilityTimeout: int, **_: object) -> dict[str, Any]:
        with self._lock:
            self.now += self._call_s
            some = [name for name, at in self.visible_at.items() if at <= self.now][:MaxNumberOfMessages]
            for name in some:
                self.visible_at[name] = self.now + VisibilityTimeout
                self.received[name] += 1
            return {"Messages": [{"MessageId": name, "Body": f"body {name}", "ReceiptHandle": name} for name in some]}

    def change_message_visibility_batch(self, *, Entries: list[dict[str, Any]], **_: object) -> dict[str, Any]:
        with self._lock:
            self.now += self._call_s
            for entry in Entries:
                self.visible_at[entry["ReceiptHandle"]] = self.now + entry["VisibilityTimeout"]
            return {}


@pytest.mark.parametrize("call_s", [0.0, 1.0, 10.0, 100.0])
def test_each_letter_is_read_once_and_given_back_at_any_pace(call_s: float) -> None:
    queue = SlowQueue(messages=1_000, call_s=call_s)

    found = dead_letters.bodies(queue, "url", queue.clock)  # type: ignore[arg-type]  # the two calls that are made

    assert sorted(found) == sorted(f"body {name}" for name in queue.received)
    assert all(at <= queue.now for at in queue.visible_at.values()), "given back"
    one_pass = 100 * call_s
    assert queue.now <= 4 * one_pass, "a few passes, however slow each is"


def test_letters_are_given_back_when_a_call_fails() -> None:
    queue = SlowQueue(messages=100, call_s=0.1)
    receive = queue.receive_message

    def fail_later(**arguments: Any) -> dict[str, Any]:
        if sum(queue.received.values()) > 50:
            raise ConnectionError
        return receive(**arguments)

    queue.receive_message = fail_later  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        dead_letters.bodies(queue, "url", queue.clock)  # type: ignore[arg-type]
    assert all(at <= queue.now for at in queue.visible_at.values())
