"""Prints what our applications' folds make of some events, as JSON: the same with added properties and without."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys

from clickstream import events
from clickstream.load.benchmarks.harness.sample import sample_events

#: Each is of one shape with its states: nothing in them may tell of the subclass that an event is.
APPLICATIONS = ("analytics", "fraud", "recommendations", "orders")


def main() -> None:
    text = b"\n".join(map(events.encode, sample_events(3_000, users=200, products=50)))
    decoded = events.decode_lines(text)
    assert decoded is not None
    said = {}
    for name in APPLICATIONS:
        fold = importlib.import_module(f"clickstream.consumers.{name}.wiring").APPLICATION.open_fold("shardId-000000000000")
        for start in range(0, len(decoded), 500):
            fold.apply(events.Events(decoded[start : start + 500]))
        effects = fold.effects(flush=True)
        said[name] = [len(effects), hashlib.sha256(fold.snapshot()).hexdigest()]
    sys.stdout.write(json.dumps({"said": said, "types": sorted({type(event).__module__ for event in decoded})}))


if __name__ == "__main__":
    main()
