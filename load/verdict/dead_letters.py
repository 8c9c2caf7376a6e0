"""Every message of the dead-letter queue, read once; all of them stay in it.

However slow the queue is, reading ends. A message is hidden for longer the longer reading has taken: one received after *t*
seconds is hidden for 2 *t* more. So none is received twice between *t* and 3 *t*. As soon as *t* is half the time that all of
them take, they are all hidden before the first appears again, and an answer is empty. SQS hides at most 120,000 messages of a
queue at a time; no more than these can be read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

#: What SQS takes and gives in one call.
_BATCH = 10
_PARALLEL = 8
#: How long a message is hidden at least (s), and at most: SQS allows no more.
_HIDDEN_S = 120
_MOST_HIDDEN_S = 12 * 60 * 60


def bodies(sqs: SQSClient, url: str, clock: Callable[[], float] = time.monotonic) -> list[str]:
    """The body of each message that is visible now, or becomes so while the queue is read. Raises what boto3 raises."""
    began = clock()
    found: dict[str, str] = {}
    receipts: dict[str, str] = {}

    def receive(_: int) -> int:
        hidden = min(_HIDDEN_S + 2 * int(clock() - began), _MOST_HIDDEN_S)
        # a long poll asks all of SQS's servers: an empty answer means an empty queue
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=_BATCH, VisibilityTimeout=hidden, WaitTimeSeconds=1)
        messages = answer.get("Messages", [])
        for message in messages:
            found[message["MessageId"]] = message["Body"]
            receipts[message["MessageId"]] = message["ReceiptHandle"]
        return len(messages)

    def give_back(batch: Sequence[str]) -> None:
        sqs.change_message_visibility_batch(
            QueueUrl=url,
            Entries=[{"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": 0} for n, receipt in enumerate(batch)],
        )

    with ThreadPoolExecutor(_PARALLEL) as threads:
        try:
            at_once = 1
            while any(some := list(threads.map(receive, range(at_once)))):
                # one after the other at the end: messages that appear again one by one must not keep all calls busy
                at_once = min(2 * at_once, _PARALLEL) if all(some) else 1
        finally:
            held = list(receipts.values())
            list(threads.map(give_back, (held[start : start + _BATCH] for start in range(0, len(held), _BATCH))))
    return list(found.values())
