"""The dead-letter queue, read by people: all letters at once, and what to do with each."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain

import msgspec

from clickstream.aws import Clients
from clickstream.consumers.runtime.faults.dead_letters import DeadLetter, decoded
from clickstream.errors import Missing, RetryLater
from clickstream.failures.outages import translated
from clickstream.platform import DEAD_LETTERS, STATE
from clickstream.settings import Settings

#: What SQS takes and gives in one call.
_BATCH = 10
_PARALLEL = 8
#: How long a letter in our hands is hidden from other readers (s): at least, and at most, since SQS allows no more.
_HIDDEN_S = 300
_MOST_HIDDEN_S = 12 * 60 * 60


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

    def __init__(
        self, url: str, clients: Clients, settings: Settings, threads: Executor, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url, self._sqs, self._s3, self._bucket = url, clients.sqs, clients.s3, STATE.of(settings)
        self._threads, self._clock = threads, clock
        #: By message, its latest receipt.
        self._held: dict[str, str] = {}
        self._deleted: set[str] = set()

    def receive(self) -> list[Received]:
        """Every letter that is visible now, without repetitions, oldest arrival first."""
        alike: dict[tuple[str, ...], dict[str, DeadLetter]] = {}  # by identity, then by message
        began = self._clock()
        at_once = 1
        while any(answers := list(self._threads.map(self._some, [began] * at_once))):
            for message, letter in chain(*answers):
                alike.setdefault(_identity(letter), {})[message] = letter
            # one after the other at the end: letters that appear again one by one must not keep all calls busy
            at_once = min(2 * at_once, _PARALLEL) if all(answers) else 1
        received = [Received([*each.values()][-1], tuple(map(self._held.__getitem__, each))) for each in alike.values()]
        return sorted(received, key=lambda each: (each.letter.arrived_ms, each.letter.position))

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
            self._deleted.update(batch)

    def release(self) -> None:
        """Let other readers see again what we have not deleted."""
        held = [receipt for receipt in self._held.values() if receipt not in self._deleted]
        list(self._threads.map(self._give_back, _batches(held)))
        self._held.clear()

    def _give_back(self, receipts: Sequence[str]) -> None:
        with translated("SQS"):
            self._sqs.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": 0} for n, receipt in enumerate(receipts)
                ],
            )

    def _some(self, began: float) -> list[tuple[str, DeadLetter]]:
        """Up to ten letters by message; a long poll asks all of SQS's servers, so an empty answer is the end.

        A letter is hidden for longer the longer reading has taken: one received after t seconds for 2 t more. So none is
        received twice between t and 3 t, and reading ends however slow the queue is.
        """
        hidden = min(_HIDDEN_S + 2 * int(self._clock() - began), _MOST_HIDDEN_S)
        with translated("SQS"):
            answer = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=_BATCH, VisibilityTimeout=hidden, WaitTimeSeconds=1
            )
        messages = answer.get("Messages", [])
        self._held.update((message["MessageId"], message["ReceiptHandle"]) for message in messages)
        return [(message["MessageId"], self._with_data(decoded(message["Body"]))) for message in messages]

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
    url = queue_url(clients, settings)
    with ThreadPoolExecutor(_PARALLEL) as threads:
        queue = Queue(url, clients, settings, threads)
        try:
            yield queue
        finally:
            queue.release()


def queue_url(clients: Clients, settings: Settings) -> str:
    """Raises Missing when there is no such queue, RetryLater when SQS does not answer."""
    try:
        with translated("SQS"):
            return clients.sqs.get_queue_url(QueueName=DEAD_LETTERS.of(settings))["QueueUrl"]
    except RetryLater as error:
        if "NonExistentQueue" in str(error) or "QueueDoesNotExist" in str(error):
            raise Missing(
                f"there is no queue {DEAD_LETTERS.of(settings)!r}", hint="clickstream local start makes it on this machine"
            ) from error
        raise


def _identity(letter: DeadLetter) -> tuple[str, ...]:
    place = (letter.application, letter.shard, letter.position)
    return place if letter.effect is None else (*place, letter.effect)


def _batches(receipts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(receipts), _BATCH):
        yield receipts[start : start + _BATCH]
