"""``decode-own``: what a type of the shop's own costs beside one of the seven of the same size."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from unittest import mock

import msgspec

from clickstream import events
from clickstream.events import ProductView
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, cpu_rate
from clickstream.load.benchmarks.harness.sample import PER_RECORD, sample_events
from clickstream.schemas import declared

_COUNT = 60_000
_REPEATED = 5
#: A product view by another name.
_SCHEMA = b"""{"properties": {
  "product_id": {"type": "string", "format": "id"},
  "category": {"type": "string", "maxLength": 256, "default": ""}
}, "required": ["product_id"]}"""


def benchmark() -> Benchmark:
    views = [event for event in sample_events(_COUNT * 2) if isinstance(event, ProductView)][:_COUNT]
    wishes = [msgspec.json.encode(msgspec.to_builtins(event) | {"type": "wish"}) for event in views]
    shop = _events_of_a_shop()

    def side(module: ModuleType, lines: Sequence[bytes]) -> Reading:
        records = [b"\n".join(lines[start : start + PER_RECORD]) for start in range(0, len(lines), PER_RECORD)]

        def work() -> None:
            for _ in range(_REPEATED):
                assert all(module.decode_lines(record) is not None for record in records)

        return cpu_rate(len(lines) * _REPEATED, work)

    return Benchmark(
        id="decode-own",
        what="decoding and checking the lines of a type that a shop declares",
        unit="events/s",
        aim="≥ 0.77x",
        least=0.77,
        peer_name="product_view, with nothing declared",
        fairness="The same fields with the same values; only the type's name differs, and the version that the own one has.",
        clock="CPU",
        ours=lambda: side(shop, wishes),
        peer=lambda: side(events, [events.encode(event) for event in views]),
    )


def _events_of_a_shop() -> ModuleType:
    """``clickstream.events`` as a program has it that begins with a declared type."""
    spec = importlib.util.spec_from_file_location("events_of_a_shop", events.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(declared, "events_folder", return_value=Path(folder)):
        (Path(folder) / "wish.v1.json").write_bytes(_SCHEMA)
        spec.loader.exec_module(module)
    return module
