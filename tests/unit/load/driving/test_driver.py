"""The driver: all records of the plan in order, waits counted from intended times, and no stray load on foreign streams."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from threading import Event, Timer

import pytest

from clickstream.errors import RetryLater, TooLarge, UserMistake
from clickstream.load.driving.driver import Acknowledgements, drive, require_loopback
from clickstream.load.driving.senders import ViaKinesis
from clickstream.load.traffic.faults import Emission
from clickstream.load.traffic.plan import Plan
from clickstream.load.verdict.send_log import SendLog
from clickstream.producers.publisher.puts import Delivered, Failed, Settled

T0 = 1_700_000_000_000


class Stream:
    """Acknowledges at once, but takes its time for the record that it is told to be slow with."""

    def __init__(self, slow: int | None = None, fail: int | None = None) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self._slow, self._fail = slow, fail

    def put_raw(self, key: str, data: bytes, on_settled: Callable[[Settled], None] | None = None) -> None:
        if len(data) > 1024 * 1024:
            raise TooLarge("over the record limit")
        self.taken.append((key, data))
        if len(self.taken) == self._slow:
            time.sleep(0.2)
        assert on_settled is not None
        if len(self.taken) == self._fail:
            on_settled(Failed(on_settled, key, data, RetryLater("it was down")))
        else:
            on_settled(Delivered(on_settled, "shard", "1"))

    def flush(self, timeout: float | None = None) -> None:
        """Nothing is ever on its way here."""


def _drive(plan: Plan, stream: Stream) -> tuple[Acknowledgements, SendLog]:
    acknowledgements, log = Acknowledgements(), SendLog()
    drive(plan, ViaKinesis(stream, acknowledgements), log, T0, Event())
    return acknowledgements, log


def test_every_record_of_the_plan_is_entered_and_sent_in_order() -> None:
    plan = Plan(rate=20_000, duration_s=0.1, seed=3)
    stream = Stream()

    acknowledgements, log = _drive(plan, stream)

    emissions = [emission for _, emission in plan.emissions(T0)]
    accepted = [(emission.key, emission.data) for emission in emissions if emission.kind != "oversized"]
    assert stream.taken == accepted
    assert len(accepted) == pytest.approx(2_000, rel=0.1)
    assert log.sent == acknowledgements.count == len(accepted)
    entered = [entry.event for entry in log.entries]
    assert entered == [each.event for each in emissions if each.event is not None and each.kind != "retry"]
    assert log.next_clicks


def test_a_run_ends_with_its_plan() -> None:
    assert _drive(Plan(rate=1e6, duration_s=60, max_records=50), Stream())[1].sent == 50


def test_what_is_too_large_is_refused_and_no_failure() -> None:
    acknowledgements, sender = Acknowledgements(), Stream()

    ViaKinesis(sender, acknowledgements).send(Emission("oversized", "u", b"x" * 1_100_000), time.monotonic())

    assert (acknowledgements.refused, acknowledgements.failed, acknowledgements.count) == (1, 0, 0)


def test_a_request_to_stop_ends_it_between_two_records_even_in_a_long_wait() -> None:
    stop, stream, log = Event(), Stream(), SendLog()
    # after ten records at once the next one is due in hours
    first_ten = itertools.chain(range(10), itertools.repeat(10**11))
    timer = Timer(0.2, stop.set)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "offsets_us", lambda _self: first_ten)
        timer.start()
        drive(Plan(rate=1e-4, duration_s=1e6, faults=False), ViaKinesis(stream, Acknowledgements()), log, T0, stop)
    timer.join()

    assert log.sent == len(stream.taken) == 10


def test_a_stream_that_stops_for_a_moment_makes_all_that_were_due_late() -> None:
    acknowledgements, log = _drive(Plan(rate=1_000, duration_s=0.3), Stream(slow=10))

    late = sum(
        item.count_at_value_iterated_to
        for item in acknowledgements.latency.get_recorded_iterator()
        if item.value_iterated_to > 50_000
    )
    # open loop: not one record waited 0.2 s, but each that was to leave in that time
    assert late > 0.3 * log.sent
    assert acknowledgements.latency.get_max_value() >= 199_000


def test_a_failure_is_counted_with_its_reason_and_intervals_add_up() -> None:
    acknowledgements, log = _drive(Plan(rate=10_000, duration_s=0.01), Stream(fail=2))

    assert acknowledgements.failed == 1
    assert acknowledgements.first_failure == "it was down"
    assert acknowledgements.count == log.sent - 1
    assert acknowledgements.interval().get_total_count() == acknowledgements.count
    assert acknowledgements.interval().get_total_count() == 0


@pytest.mark.parametrize(
    "endpoint", [None, "https://kinesis.eu-west-1.example", "http://10.0.0.1:4567", "http://127.0.0.1.evil.example"]
)
def test_another_machines_stream_is_refused_unless_allowed(endpoint: str | None) -> None:
    with pytest.raises(UserMistake, match="not on this machine") as refused:
        require_loopback(endpoint, allow_remote=False, otherwise="AWS in us-east-1")
    assert "--allow-remote" in refused.value.hint
    require_loopback(endpoint, allow_remote=True, otherwise="AWS in us-east-1")


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4567", "http://localhost:1", "http://[::1]:4567"])
def test_this_machines_stream_is_taken(endpoint: str) -> None:
    require_loopback(endpoint, allow_remote=False, otherwise="")
