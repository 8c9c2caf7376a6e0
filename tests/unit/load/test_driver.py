"""The driver: all records of the plan in order, waits counted from intended times, and no stray load on foreign streams."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from threading import Event, Timer

import msgspec
import pytest

from clickstream.errors import RetryLater, UserMistake
from clickstream.settings import Settings
from load.driver import Acknowledgements, Plan, drive, require_loopback
from load.faults import Emission
from load.traffic import Traffic
from producers.puts import Delivered, Failed, Settled

T0 = 1_700_000_000_000


class Stream:
    """Acknowledges at once, but takes its time for the record that it is told to be slow with."""

    def __init__(self, slow: int | None = None, fail: int | None = None) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self._slow, self._fail = slow, fail

    def put_raw(self, key: str, data: bytes, on_settled: Callable[[Settled], None] | None = None) -> None:
        self.taken.append((key, data))
        if len(self.taken) == self._slow:
            time.sleep(0.2)
        assert on_settled is not None
        if len(self.taken) == self._fail:
            on_settled(Failed(on_settled, key, data, RetryLater("it was down")))
        else:
            on_settled(Delivered(on_settled, "shard", "1"))


def _drive(plan: Plan, stream: Stream) -> tuple[Acknowledgements, list[Emission]]:
    acknowledgements, entered = Acknowledgements(), list[Emission]()
    drive(plan, stream, acknowledgements, T0, entered.append, lambda _sent: None, Event())
    return acknowledgements, entered


def test_every_record_of_the_plan_is_entered_and_sent_in_order() -> None:
    plan = Plan(rate=20_000, duration_s=0.1, seed=3)
    stream = Stream()

    acknowledgements, entered = _drive(plan, stream)

    assert stream.taken == [(emission.key, emission.data) for emission in entered]
    assert len(entered) == pytest.approx(2_000, rel=0.1)
    assert acknowledgements.latency.get_total_count() == len(entered)
    traffic = Traffic(3, plan.shop, plan.rates)
    assert traffic.emit(T0).event == entered[0].event
    assert all(emission.event.occurred_at < T0 + 100 for emission in entered if emission.kind == "event" and emission.event)


def test_the_cap_on_records_holds() -> None:
    assert len(_drive(Plan(rate=1e6, duration_s=60, max_records=50), Stream())[1]) == 50


def test_a_request_to_stop_ends_it_between_two_records_even_in_a_long_wait() -> None:
    stop, stream, entered = Event(), Stream(), list[Emission]()

    def on_sent(number: int) -> None:
        if number == 10:
            Timer(0.02, stop.set).start()

    # after ten records at once the next one is due in hours
    plan = Plan(rate=1e-4, duration_s=1e6)
    first_ten = itertools.chain(range(10), itertools.repeat(10**11))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("load.driver.arrivals", lambda _seed, _rate: first_ten)
        patch.setattr("load.driver.MAX_SECONDS", 1e9)
        drive(plan, stream, Acknowledgements(), T0, entered.append, on_sent, stop)

    assert len(entered) == len(stream.taken) == 10


def test_a_stream_that_stops_for_a_moment_makes_all_that_were_due_late() -> None:
    acknowledgements, entered = _drive(Plan(rate=1_000, duration_s=0.3), Stream(slow=10))

    late = sum(
        item.count_at_value_iterated_to
        for item in acknowledgements.latency.get_recorded_iterator()
        if item.value_iterated_to > 50_000
    )
    # open loop: not one record waited 0.2 s, but each that was to leave in that time
    assert late > 0.3 * len(entered)
    assert acknowledgements.latency.get_max_value() >= 199_000


def test_a_failure_is_counted_with_its_reason() -> None:
    acknowledgements, entered = _drive(Plan(rate=10_000, duration_s=0.01), Stream(fail=2))

    assert acknowledgements.failed == 1
    assert str(acknowledgements.first_failure) == "it was down"
    assert acknowledgements.latency.get_total_count() == len(entered) - 1


@pytest.mark.parametrize(
    "endpoint", [None, "https://kinesis.eu-west-1.example", "http://10.0.0.1:4567", "http://127.0.0.1.evil.example"]
)
def test_another_machines_stream_is_refused_unless_allowed(endpoint: str | None) -> None:
    settings = msgspec.structs.replace(Settings(), endpoint_urls={"kinesis": endpoint} if endpoint else {})

    with pytest.raises(UserMistake, match="not on this machine") as refused:
        require_loopback(settings, allow_remote=False)
    assert "--allow-remote" in refused.value.hint
    require_loopback(settings, allow_remote=True)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4567", "http://localhost:1", "http://[::1]:4567"])
def test_this_machines_stream_is_taken(endpoint: str) -> None:
    require_loopback(Settings(endpoint_url=endpoint), allow_remote=False)
