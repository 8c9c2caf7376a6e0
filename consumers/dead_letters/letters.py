"""The dead-letter queue, read by people: all letters at once, and what to do with each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from clickstream.aws import Clients
from clickstream.errors import Missing, RetryLater
from clickstream.outages import translated
from clickstream.settings import Settings
from consumers.runtime.faults.dead_letters import DeadLetter, decoded

#: A letter in our hands is hidden from other readers this long.
_HIDDEN_S = 300
_BATCH = 10


class Received(msgspec.Struct, frozen=True):
    """A letter and its receipts: a crash between sending and committing sends a letter again, and both go together.

    An effect's letter is another for each effect of its position, and for each position that a replay writes it at.
    """

    letter: DeadLetter
    receipts: tuple[str, ...]

    @property
    def id(self) -> str:
        """Twelve hex digits that name the letter: the same for the same application, position and effect."""
        return hashlib.sha256("/".join(_identity(self.letter)).encode()).hexdigest()[:12]


class Queue:
    """Open it with :func:`reading`. Raises RetryLater when SQS or S3 does not answer."""

    def __init__(self, url: str, clients: Clients, settings: Settings) -> None:
        self._url = url
        self._sqs = clients.sqs
        self._s3 = clients.s3
        self._bucket = settings.state_bucket
        self._held: dict[str, None] = {}

    def receive(self) -> list[Received]:
        """Every letter that is visible now, without repetitions, oldest arrival first."""
        found: dict[tuple[str, ...], Received] = {}
        while messages := self._some():
            for body, receipt in messages:
                letter = self._with_data(decoded(body))
                key = _identity(letter)
                known = found.get(key)
                found[key] = Received(letter, (*known.receipts, receipt) if known else (receipt,))
        return sorted(found.values(), key=lambda each: (each.letter.arrived_ms, each.letter.position))

    def delete(self, received: Sequence[Received]) -> None:
        """Done with these for good."""
        receipts = [receipt for each in received for receipt in each.receipts]
        for batch in _batches(receipts):
            with translated("SQS"):
                answer = self._sqs.delete_message_batch(
                    QueueUrl=self._url, Entries=[{"Id": str(n), "ReceiptHandle": receipt} for n, receipt in enumerate(batch)]
                )
            if answer.get("Failed"):
                raise RetryLater(f"SQS: {len(answer['Failed'])} dead letters could not be deleted")
        for receipt in receipts:
            self._held.pop(receipt, None)

    def release(self) -> None:
        """Let other readers see again what we have not deleted."""
        for batch in _batches(list(self._held)):
            with translated("SQS"):
                self._sqs.change_message_visibility_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": 0} for n, receipt in enumerate(batch)
                    ],
                )
        self._held.clear()

    def _some(self) -> list[tuple[str, str]]:
        """(body, receipt) of up to ten messages; a long poll asks all of SQS's servers, so an empty answer is the end."""
        with translated("SQS"):
            answer = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=_BATCH, VisibilityTimeout=_HIDDEN_S, WaitTimeSeconds=1
            )
        messages = [(message["Body"], message["ReceiptHandle"]) for message in answer.get("Messages", [])]
        self._held.update((receipt, None) for _, receipt in messages)
        return messages

    def _with_data(self, letter: DeadLetter) -> DeadLetter:
        if letter.data_s3_key is None:
            return letter
        with translated("S3"):
            data = self._s3.get_object(Bucket=self._bucket, Key=letter.data_s3_key)["Body"].read()
        return msgspec.structs.replace(letter, data=data)


@contextmanager
def reading(clients: Clients, settings: Settings) -> Iterator[Queue]:
    """The queue for as long as the block lasts; letters that were not deleted are visible again after it.

    Raises Missing when there is no such queue.
    """
    try:
        with translated("SQS"):
            url = clients.sqs.get_queue_url(QueueName=settings.dead_letter_queue)["QueueUrl"]
    except RetryLater as error:
        if "NonExistentQueue" in str(error) or "QueueDoesNotExist" in str(error):
            raise Missing(
                f"there is no queue {settings.dead_letter_queue!r}", hint="clickstream local start makes it on this machine"
            ) from error
        raise
    queue = Queue(url, clients, settings)
    try:
        yield queue
    finally:
        queue.release()


def _identity(letter: DeadLetter) -> tuple[str, ...]:
    place = (letter.application, letter.shard, letter.position)
    return place if letter.effect is None else (*place, letter.effect)


def _batches(receipts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(receipts), _BATCH):
        yield receipts[start : start + _BATCH]
