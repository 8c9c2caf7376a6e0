"""The publisher on the wire: PutRecords and ListShards, and the threads that carry out what the rules say is due."""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf
from time import monotonic, time_ns
from types import TracebackType
from typing import Self

import msgspec

from clickstream.aws import Clients
from clickstream.errors import ClickstreamError, Forbidden, RetryLater, Throttled
from clickstream.events import AnyEvent, written
from clickstream.producers.publisher.calls import put_records
from clickstream.producers.publisher.limits import Limits
from clickstream.producers.publisher.puts import Action, Counters, Failed, Put, Settled
from clickstream.producers.publisher.rules import Publisher
from clickstream.records.kinesis import list_shards
from clickstream.settings import Settings

OnSettled = Callable[[Settled], None]
"""Called once for an event, on a thread of the publisher's: it must be quick and must not raise."""


class KinesisPublisher:
    """Puts events on ``settings.stream`` from any number of threads, in records of ``settings.records``.

    ``with KinesisPublisher(settings) as publisher: publisher.put(event)``; leaving the block flushes. Entering raises Missing
    when there is no such stream, RetryLater when Kinesis does not answer. Failed events go to the callback that was given
    with them, else to ``on_failed``; without either, the next ``flush`` (so also leaving the block) raises.
    """

    SENDERS = 4
    #: Seconds in which to put what was accepted when the block is left by an exception.
    GRACE = 5.0

    def __init__(
        self,
        settings: Settings,
        limits: Limits | None = None,
        *,
        on_failed: Callable[[Failed], None] | None = None,
    ) -> None:
        # one attempt: the publisher must see each failure, because only it knows which records may be put again and when
        self._client = Clients(settings, attempts=1, connections=self.SENDERS).kinesis
        self._stream = settings.stream
        limits = limits or Limits()
        self._limits = msgspec.structs.replace(limits, records=limits.records or settings.records)
        self._on_failed = on_failed
        self._threads = [threading.Thread(target=self._run, name=f"put-{n}", daemon=True) for n in range(self.SENDERS)]
        self._lock = threading.Lock()
        self._timekeeper = threading.Condition(self._lock)
        """The one idle sender that waits for the next due moment."""
        self._bench = threading.Condition(self._lock)
        """The other idle senders."""
        self._room = threading.Condition(self._lock)
        """Callers that wait until something is settled."""
        self._sleeps_until = -inf
        """When the timekeeper wakes by itself; minus infinity while there is none."""
        self._actions: deque[Action] = deque()
        self._closed = False
        self._unreported: list[Failed] = []
        self._telling = 0
        """Senders that are calling callbacks: a flush is over only after them."""
        self._broken: BaseException | None = None
        self._core: Publisher

    def __enter__(self) -> Self:
        self._core = self._open()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self.flush()
            else:
                # what was accepted before the caller's fault is not dropped with it; that fault tells more than a late flush
                with suppress(RetryLater):
                    self.flush(self.GRACE)
        finally:
            with self._lock:
                self._closed = True
                self._timekeeper.notify_all()
                self._bench.notify_all()
                self._room.notify_all()
            for thread in self._threads:
                thread.join()

    def put(self, event: AnyEvent, on_settled: OnSettled | None = None, *, timeout: float | None = None) -> None:
        """``put_raw`` with the event's user as the partition key. Raises InvalidEvent for what no reader would take."""
        self.put_raw(event.user_id, written(event, time_ns() // 1_000_000), on_settled, timeout=timeout)

    def put_raw(self, key: str, data: bytes, on_settled: OnSettled | None = None, *, timeout: float | None = None) -> None:
        """Accept an event of the user ``key``, by whom alone a reader finds its shard.

        ``on_settled`` hears when Kinesis has it, or that it was given up.

        While the buffer is full the caller waits, at most ``timeout`` seconds (for ever when None, not at all when 0), then
        Throttled is raised. Raises TooLarge for an event over the record limit, InvalidEvent for an unusable key.
        """
        now = monotonic()
        with self._lock:
            self._check()
            if not self._core.add(key, data, now, on_settled):
                self._wait_for_room(key, data, on_settled, inf if timeout is None else now + timeout)
            if self._core.wake_at < self._sleeps_until:
                self._timekeeper.notify()

    def flush(self, timeout: float | None = None) -> None:
        """Wait until nothing is on its way any more.

        Raises RetryLater after ``timeout`` seconds, or when events failed that nobody else was told about.
        """
        deadline = inf if timeout is None else monotonic() + timeout
        with self._lock:
            self._core.flush(monotonic())
            self._timekeeper.notify()
            while (self._core.pending or self._telling) and self._broken is None:
                if not self._sleep(deadline):
                    raise RetryLater(f"{self._core.pending} events are still on their way")
            self._check()
            unreported, self._unreported = self._unreported, []
        if unreported:
            raise RetryLater(f"{len(unreported)} events were not delivered; the first: {unreported[0].error}")

    @property
    def counters(self) -> Counters:
        """A copy of the counters as they stand."""
        with self._lock:
            return msgspec.structs.replace(self._core.counters)

    @property
    def waiting(self) -> tuple[int, int]:
        """Events accepted and not settled, and their memory in bytes."""
        with self._lock:
            return self._core.pending, self._core.pending_bytes

    @property
    def forbidden(self) -> Forbidden | None:
        """What somebody must give back before the stream takes anything: a permission, a key, the stream itself."""
        with self._lock:
            return self._core.refusal if isinstance(self._core.refusal, Forbidden) else None

    def _open(self) -> Publisher:
        try:
            return Publisher(list_shards(self._client, self._stream), self._limits)
        except ValueError as error:
            raise RetryLater(f"the stream is being resharded: {error}") from error

    def _wait_for_room(self, key: str, data: bytes, on_settled: OnSettled | None, deadline: float) -> None:
        """With the lock held; wakes when something was settled."""
        while not self._core.add(key, data, monotonic(), on_settled):
            if not self._sleep(deadline):
                raise Throttled("the publisher's buffer is full: the stream takes less than is put")
            self._check()

    def _sleep(self, deadline: float) -> bool:
        """Wait for something to be settled, with the lock held; False when the deadline has come."""
        left = deadline - monotonic()
        if left <= 0:
            return False
        self._room.wait(None if left == inf else left)
        return True

    def _check(self) -> None:
        if self._broken is not None:
            raise RuntimeError("the publisher's thread has died") from self._broken
        if self._closed:
            raise RuntimeError("the publisher is closed")

    # -- the senders

    def _run(self) -> None:
        try:
            while (work := self._next()) is not None:
                action, settled = work
                self._tell(settled)
                if action is not None:
                    self._tell(self._carry_out(action))
        except BaseException as error:  # noqa: BLE001  # not swallowed: whoever puts or flushes next gets it
            with self._lock:
                self._broken = error
                self._room.notify_all()

    def _next(self) -> tuple[Action | None, list[Settled]] | None:
        """Wait for something to do; None when the publisher is closed."""
        with self._lock:
            while not self._closed:
                if not self._actions:
                    self._actions.extend(self._core.due(monotonic()))
                settled = self._take_settled()
                if self._actions or settled:
                    # whoever takes the work passes the watch on
                    self._bench.notify()
                    return (self._actions.popleft() if self._actions else None), settled
                if self._sleeps_until != -inf:
                    self._bench.wait()
                    continue
                self._sleeps_until = self._core.wake_at
                left = self._sleeps_until - monotonic()
                self._timekeeper.wait(None if left == inf else max(left, 0.0))
                self._sleeps_until = -inf
        return None

    def _carry_out(self, action: Action) -> list[Settled]:
        if isinstance(action, Put):
            result = put_records(self._client, self._stream, action)
            with self._lock:
                self._core.on_result(action, result, monotonic())
                return self._after()
        shards = None
        # one that fails is asked for again; if it never comes, the events that wait for it expire and are reported
        with suppress(ClickstreamError):
            shards = list_shards(self._client, self._stream)
        with self._lock:
            if shards is None:
                self._core.on_shard_map_failed(monotonic())
            else:
                self._core.on_shard_map(shards, monotonic())
            return self._after()

    def _after(self) -> list[Settled]:
        """With the lock held, after an answer."""
        if self._core.wake_at < self._sleeps_until:
            self._timekeeper.notify()
        self._room.notify_all()
        return self._take_settled()

    def _take_settled(self) -> list[Settled]:
        """With the lock held; what is returned must go to ``_tell``."""
        settled = self._core.settled()
        if settled:
            self._telling += 1
        return settled

    def _tell(self, settled: list[Settled]) -> None:
        if not settled:
            return
        unreported: list[Failed] = []
        for each in settled:
            if each.token is not None:
                on_settled: OnSettled = each.token  # type: ignore[assignment]  # the only tokens given to the core
                on_settled(each)
            elif isinstance(each, Failed):
                if self._on_failed is None:
                    unreported.append(each)
                else:
                    self._on_failed(each)
        with self._lock:
            self._telling -= 1
            self._unreported += unreported
            self._room.notify_all()
