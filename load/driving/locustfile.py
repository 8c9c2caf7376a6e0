"""For those who use locust: our visitors through the collector, with locust's ramps, charts and many machines.

    uv pip install locust
    locust -f load/driving/locustfile.py --host http://127.0.0.1:8081 --headless -u 50 -r 10 -t 60s

Each of locust's users sends ten events a second, the next ones of one seeded stream: visitors, tastes, adversaries and faults
as in ``clickstream load run --profile steady``. A record that is no event must be refused, and is a failure if it is not.
Locust waits for an answer before a user sends again (closed loop), so a slow collector slows the load, and it keeps no ledger:
for latency under a fixed rate, and for proofs, use ``clickstream load run`` and ``clickstream load verify``.
"""

from __future__ import annotations

import os
import time

from locust import FastHttpUser, constant_throughput, task

from clickstream.load.traffic.plan import Plan

#: Locust's workers are processes side by side: each has people of its own.
_PART = os.getpid() % 1_000
_TAKEN = (200,)
_REFUSED = (400, 413, 422)
_LATER = (429, 503)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


_traffic = Plan(rate=500, duration_s=86_400, part=_PART, parts=1_000, is_checked_at_the_door=True).traffic(_now_ms())


class Shop(FastHttpUser):  # type: ignore[misc]  # locust is no dependency of ours, so its types are unknown
    """One connection, through which some of the visitors' events go."""

    wait_time = constant_throughput(10)

    @task  # type: ignore[untyped-decorator]  # likewise
    def send(self) -> None:
        """The next record; again, under the same id, when the collector asks for that."""
        emission = _traffic.emit(_now_ms())
        headers = {"Content-Type": "application/x-ndjson"}
        expected = _REFUSED if emission.event is None else _TAKEN
        while True:
            with self.client.post(
                "/v1/events", data=emission.data, headers=headers, name=emission.kind, catch_response=True
            ) as answer:
                if answer.status_code in _LATER:
                    answer.failure(f"asked to come back: {answer.status_code}")
                    time.sleep(0.5)
                    continue
                if answer.status_code in expected:
                    answer.success()
                else:
                    answer.failure(f"{answer.status_code} for {emission.kind}")
                return
