"""What an application has stored and sent, as texts to compare: whatever may differ between two right runs is left out."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from itertools import chain

from clickstream.load.simulation.aws.stores import Stores
from clickstream.needs import Needs


def answers(stores: Stores, needs: Needs) -> dict[str, str]:
    """Name → value of each item (but for position and time to live), message and line of an object."""
    return dict(chain(_items(stores, needs), _messages(stores), _lines(stores)))


def differences(found: dict[str, str], expected: dict[str, str]) -> Iterator[str]:
    for name in sorted(found.keys() | expected.keys()):
        got, right = found.get(name, "missing"), expected.get(name, "missing")
        if got != right:
            yield f"{name} is {got[:300]}, not {right[:300]}"


def _items(stores: Stores, needs: Needs) -> Iterator[tuple[str, str]]:
    for table in needs.tables:
        for key, item in stores.tables[table.suffix].items():
            told = {name: value for name, value in sorted(item.items()) if name not in ("position", table.expires)}
            yield f"{table.suffix} {'/'.join(key)}", str(told)


def _messages(stores: Stores) -> Iterator[tuple[str, str]]:
    """Told apart by identity; without one a message may be sent again, and is told apart by its text."""
    for (to, once, body), count in Counter(stores.sent).items():
        yield f"message {once or body} to {to}", body if not once or count == 1 else f"sent {count} times: {body}"


def _lines(stores: Stores) -> Iterator[tuple[str, str]]:
    for bucket, objects in stores.buckets.items():
        for line, count in Counter(chain.from_iterable(map(_lines_of, objects.values()))).items():
            yield f"line {line} of {bucket}", f"there {count} times"


def _lines_of(body: bytes) -> list[str]:
    if body[:4] != b"PAR1":
        return body.decode().splitlines()
    from pyarrow import parquet  # only who writes Parquet has it

    return [json.dumps(row, default=str) for row in parquet.read_table(io.BytesIO(body)).to_pylist()]
