"""Our side of ``publish``.

``python -m clickstream.load.benchmarks.publishing.put FILE WARM_UP COUNTED`` puts the lines of a file.

A line is "user TAB event". It says GO before the first event that counts, HALF in their middle, and at the end one line of
JSON. So does KplProducer.java.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator

from clickstream.load.benchmarks.rig.drain import UNPACED
from clickstream.load.benchmarks.rig.usage import pss_mb
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.producers.publisher.puts import Delivered, Settled
from clickstream.settings import from_env


def lines(file: str) -> Iterator[tuple[str, bytes]]:
    """(user, event)."""
    with open(file, "rb", buffering=1 << 18) as source:  # noqa: PTH123  # Path.open has no such buffer
        for line in source:
            user, _, data = line.rstrip(b"\n").partition(b"\t")
            yield user.decode(), data


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def main(file: str, warm_up: int, counted: int) -> None:
    confirmed = 0

    def settled(what: Settled) -> None:
        nonlocal confirmed
        confirmed += type(what) is Delivered

    source = lines(file)
    with KinesisPublisher(from_env(), UNPACED) as publisher:

        def put(count: int, half: int = -1) -> None:
            for number in range(count):
                if number == half:
                    say("HALF")
                user, data = next(source)
                publisher.put_raw(user, data, settled)
            publisher.flush()

        put(warm_up)
        say("GO")
        before, cpu = confirmed, time.process_time()
        put(counted, counted // 2)
        spent = {"python": time.process_time() - cpu}
        say(json.dumps({"confirmed": confirmed - before, "seconds": spent, "megabytes": pss_mb(os.getpid())}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
