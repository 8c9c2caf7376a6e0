"""``clickstream report`` over what real workers made of generated traffic, against pandas over what was sent."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import pytest

from clickstream.aws import Clients
from clickstream.events import AnyEvent, Purchase
from clickstream.infra.local import roles
from clickstream.load.traffic.history.adversaries import history
from clickstream.load.verdict import progress
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.settings import Settings, environment

pytestmark = [pytest.mark.integration, pytest.mark.java]

_PROGRAM = (sys.executable, "-m", "clickstream.cli", "report")
DEADLINE_S = 120.0
START_MS = 1_788_220_800_000
DAY_MS = 86_400_000
DAYS = 3


@contextmanager
def _worker(settings: Settings, name: str, log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "clickstream.cli", "worker", name],
            env=environment(roles.prepared(settings, name)),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def sent() -> list[AnyEvent]:
    return list(history(5, people=60, days=DAYS, start_ms=START_MS).events)


def test_the_sums_are_those_of_what_was_sent(provisioned: Settings, sent: list[AnyEvent], tmp_path: Path) -> None:
    with KinesisPublisher(provisioned) as publisher:
        for event in sent:
            publisher.put(event)
    dynamodb = Clients(provisioned).dynamodb
    with ExitStack() as running:
        for name in ("analytics", "fraud"):
            running.enter_context(_worker(provisioned, name, tmp_path / f"{name}.log"))
        deadline = time.monotonic() + DEADLINE_S
        for name in ("analytics", "fraud"):
            while progress.counted(progress.read(dynamodb, provisioned, name)).events < len(sent):
                assert time.monotonic() < deadline, f"{name} is not through"
                time.sleep(0.2)
        # what is held back while a shard is busy is written with its next heartbeat
        while (told := _report(provisioned, tmp_path, "--granularity", "day"))["events"] < len(sent):
            assert time.monotonic() < deadline, "the last hour's rows are not written"
    purchases = [event for event in sent if isinstance(event, Purchase)]
    frame = pd.DataFrame({"currency": [each.currency for each in purchases], "amount": [each.amount for each in purchases]})
    kinds = pd.Series([str(type(event).__struct_config__.tag) for event in sent]).value_counts()
    assert told["events"] == len(sent)
    assert {
        name.removeprefix("events_"): count for name, count in told.items() if name.startswith("events_")
    } == kinds.to_dict()
    revenue = frame.groupby("currency")["amount"].sum().to_dict()
    assert {name.removeprefix("revenue_"): count for name, count in told.items() if name.startswith("revenue_")} == revenue
    table = pd.read_csv(tmp_path / "report.csv", index_col="start", parse_dates=True)
    assert table["events"].sum() == len(sent)
    days = pd.to_datetime([event.occurred_at for event in sent], unit="ms", utc=True).floor("D").value_counts().sort_index()
    assert table["events"].dropna().astype(int).tolist() == days.tolist()
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") >= 4

    # decisions stand under the time at which they were made, which is now
    lately = _report(provisioned, tmp_path, "--from", "10m ago", "--to", "now", "--granularity", "minute")
    assert lately["approve"] + lately["review"] + lately["block"] == len(purchases)


def _report(settings: Settings, folder: Path, *options: str) -> dict[str, int]:
    span = [] if "--from" in options else ["--from", str(START_MS), "--to", str(START_MS + (DAYS + 2) * DAY_MS)]
    said = subprocess.run(
        [*_PROGRAM, *span, *options, "--out", "report.html", "--out", "report.csv", "--json"],
        env=environment(settings),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    told: dict[str, int] = json.loads(said.stdout)
    return told
