"""What a short application gives out, made durable: rows in DynamoDB, messages through the outbox, lines on S3.

Rows are absolute values, written only over older positions; messages and lines have an identity each. So all may be written
again, by this owner or the next.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from clickstream.answers import needs
from clickstream.answers.declared import Application, Files, Messages
from clickstream.answers.effects import Effect, Line, Message, Row
from clickstream.answers.files import FilesBucket
from clickstream.answers.outbox import Deliver, Outbox, to_queue, to_topic
from clickstream.answers.webhook import Webhook
from clickstream.aws import Clients
from clickstream.aws.items import item
from clickstream.failures.fan_out import write_each
from clickstream.failures.outages import translated
from clickstream.records.position import Position, guarded_put
from clickstream.settings import Settings

#: Effects under way at once, to hide the round trips.
THREADS = 8


class AnswersSink:
    """See ``clickstream.application.Sink``; its effects are :data:`Effect`."""

    def __init__(self, application: Application, shard_id: str, clients: Clients, settings: Settings) -> None:
        name, answers = application.name, application.answers
        self._dynamodb, self._shard_id = clients.dynamodb, shard_id
        self._tables = {
            table: (needs.answers_table(name, table).of(settings), declared) for table, declared in application.tables.items()
        }
        deliver = {each.name: _deliver(name, each, clients, settings) for each in answers if isinstance(each, Messages)}
        self._outbox = Outbox(clients.dynamodb, needs.outbox(name).of(settings), deliver)
        formats = {each.name: each.format for each in answers if isinstance(each, Files)}
        self._files = FilesBucket(clients.s3, needs.bucket(name).of(settings), shard_id, formats)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="answers")

    def write(self, effects: Sequence[Effect], position: Position) -> None:
        """Raises RetryLater or Unwritable when any effect could not be written; the others are."""
        now_s = int(time.time())
        messages = {(effect.messages, effect.id): effect for effect in reversed(effects) if isinstance(effect, Message)}
        writes: list[Callable[[], Any]] = [
            *(partial(self._put, effect, position, now_s) for effect in effects if isinstance(effect, Row)),
            *(partial(self._outbox.send, first, now_s) for first in messages.values()),
            *self._files.writes([effect for effect in effects if isinstance(effect, Line)]),
        ]
        write_each(self._threads, lambda write: write(), writes)

    def _put(self, row: Row, position: Position, now_s: int) -> None:
        table, declared = self._tables[row.table]
        cells = {name: cell if type(cell) is int else msgspec.msgpack.encode(cell) for name, cell in row.cells.items()}
        # all parts of a window stay until it has ended, though only one of them is still written
        ends_s = (row.start_ms + declared.per) // 1000
        expires = {"expires": max(now_s, ends_s) + declared.kept // 1000} if declared.per else {}
        put = guarded_put(table, item({**row.item_key(self._shard_id), **cells, **expires}), position)
        with suppress(ClientError), translated("DynamoDB"):  # the value of a later position is there already
            self._dynamodb.put_item(**put)


def _deliver(application: str, messages: Messages, clients: Clients, settings: Settings) -> Deliver:
    match messages.to:
        case "sqs":
            return to_queue(clients, needs.queue(application, messages.name).of(settings))
        case "sns":
            return to_topic(clients, needs.topic(application, messages.name).of(settings))
        case "webhook":
            return Webhook(messages.name, settings.webhook(messages.name))
