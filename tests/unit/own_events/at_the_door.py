"""Prints, as JSON, what a collector with a shop's declarations says to some events of them."""

from __future__ import annotations

import json
import sys

from tests.unit.collector.conftest import NOW, Site
from tests.unit.own_events.shop import ENVELOPE

FIELDS = ("product_id", "note", "campaign", "type_version")


def main() -> None:
    site = Site(now_ms=NOW)

    def say(kind: str, **fields: object) -> list[list[str]]:
        answer = site.post({"type": kind, **ENVELOPE, **fields}).json()["events"][0]
        return [[each["path"], each["reason"]] for each in answer.get("errors", ())]

    assert say("wish", product_id="p-1", note="blå") == []
    assert say("page_view", campaign="spring", unknown=1) == []
    taken, added = ({name: each.get(name) for name in FIELDS} for each in site.taken())
    nested = site.post({"type": "wish", **ENVELOPE, "product_id": "p", "at": {"shelf": 1.0, "row": 2}, "colour": 1}).json()
    faults = say("wish", product_id="p", note="n" * 21, others="x", at={"shelf": 0})
    described = site.client.get("/openapi.json").json()["components"]["schemas"]
    said = [name for name, kind in (("campaign", "PageView"), ("note", "wish")) if name in described[kind]["properties"]]
    told = {"taken": taken, "added": added, "faults": faults, "unknown": say("wihs"), "document": said}
    sys.stdout.write(json.dumps(told | {"not_kept": nested["events"][0]["not_kept"]}))


if __name__ == "__main__":
    main()
