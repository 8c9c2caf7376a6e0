"""Benchmarks that take no time, for the tests of what runs them: each in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, Side, Unavailable


def _benchmark(name: str, ours: Side, close: Callable[[], object] = lambda: None) -> Benchmark:
    return Benchmark(
        id=name,
        what="something",
        unit="pid",
        aim="none",
        peer_name="itself",
        fairness="The same.",
        clock="CPU",
        ours=ours,
        peer=ours,
        close=close,
    )


def told() -> Benchmark:
    """Its figure is its process id."""

    def pid() -> Reading:
        return Reading(os.getpid(), {"parent": os.getppid()})

    return _benchmark("told", pid)


def broken() -> Benchmark:
    def fails() -> Reading:
        raise ValueError("broken on purpose")

    return _benchmark("broken", fails, close=lambda: sys.stderr.write("closed after all\n"))


def idle() -> Benchmark:
    """Its peer comes to nothing."""
    made = _benchmark("idle", lambda: Reading(7))
    return msgspec.structs.replace(made, peer=lambda: Reading(0))


def killed() -> Benchmark:
    """As by the system when memory is short."""

    def ends() -> Reading:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    return _benchmark("killed", ends)


def hung() -> Benchmark:
    """Its peer waits for what never comes."""

    def waits() -> Reading:
        threading.Event().wait()
        raise AssertionError

    return msgspec.structs.replace(_benchmark("hung", lambda: Reading(7)), peer=waits)


def deaf() -> Benchmark:
    """Hangs where neither the alarm nor Ctrl-C reaches it, as in code that is not Python."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGINT})
    threading.Event().wait()
    raise AssertionError


def sized(size: int = 1_000) -> Benchmark:
    """Its figure is its size."""
    return _benchmark("sized", lambda: Reading(size))


def absent() -> Benchmark:
    """Its peer is not on this machine."""
    raise Unavailable("its peer: there is no Maven")


def endless() -> Benchmark:
    """Runs until it is interrupted; says when it began, and ended, by files in the working directory."""

    def waits() -> Reading:
        Path("began").touch()
        threading.Event().wait()
        raise AssertionError

    return _benchmark("endless", waits, close=Path("closed").touch)
