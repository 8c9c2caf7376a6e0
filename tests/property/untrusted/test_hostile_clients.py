"""The collector and the commands under hostile text: an answer, one line, the right code, and no control character."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from clickstream import events
from clickstream.aws import Clients
from clickstream.infra.local import resources
from clickstream.load.traffic import bounds
from clickstream.load.traffic.bounds import Case
from clickstream.settings import Settings
from tests.property.untrusted import hostile
from tests.property.untrusted.at_the_terminal import is_clean, run
from tests.unit.collector.conftest import NOW, Site

lenient = settings(
    max_examples=40, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
#: To who has none the door gives an id.
GIVEN = ("event_id: ''", "event_id: None", "no event_id")


@pytest.fixture(scope="module")
def site() -> Site:
    return Site()


@pytest.mark.parametrize("case", hostile.cases(), ids=lambda case: ascii(case.name))
def test_the_door_takes_what_counts_and_refuses_the_rest_with_its_path(site: Site, case: Case) -> None:
    site.stream.records.clear()
    answer = site.post(bounds.encoded(bounds.laid_over(case, "h", NOW)))
    if not case.path or case.name in GIVEN:
        assert (answer.status_code, len(site.stream.records)) == (200, 1)
        key, data = site.stream.records[0]
        events.admit(events.decode(data), key, NOW)
        return
    assert (answer.status_code, site.stream.records) == (422, [])
    assert any(error["path"].startswith(case.path) for error in answer.json()["events"][0]["errors"])


@lenient
@given(lines=st.lists(hostile.lines.filter(lambda line: b"\n" not in line and line.strip() != b""), min_size=1, max_size=8))
def test_the_door_judges_each_line_alone_and_readers_agree(site: Site, lines: list[bytes]) -> None:
    site.stream.records.clear()
    site.stream.mood = "takes"
    answer = site.post(b"\n".join(lines), content_type="application/x-ndjson")
    said = answer.json()
    assert len(said["events"]) == len([line for line in lines if line.strip()])
    assert said["accepted"] == len(site.stream.records)
    for key, data in site.stream.records:
        events.admit(events.decode(data), key, NOW)


@pytest.fixture(scope="module")
def stocked() -> Any:
    with mock_aws():
        resources.create(Clients(Settings()), Settings(), shards=1)
        yield


@pytest.mark.parametrize("command", [["query", "decision"], ["query", "recommendations"]], ids=" ".join)
@settings(lenient, max_examples=15)
@given(asked=hostile.ids | st.sampled_from(["", "x" * 3_000, "\U0001f600" * 600]))
def test_a_command_asked_for_a_hostile_id_says_one_clean_line(stocked: Any, command: list[str], asked: str) -> None:
    code, _, stderr = run([*command, "--", asked])
    assert is_clean(stderr)
    assert len(stderr.splitlines()) <= 4
    assert "a fault of this program" not in stderr
    if asked == "" or len(asked.encode()) > events.MOST_KEY_BYTES:
        assert code == 2


@settings(lenient, max_examples=15)
@given(lines=st.lists(hostile.lines.filter(lambda line: b"\n" not in line), min_size=1, max_size=6))
def test_produce_reports_each_wrong_line_and_never_raw(lines: list[bytes], tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_bytes(b"\n".join(lines) + b"\n")
    code, stdout, stderr = run(["produce", "--dry-run", str(file)])
    assert code in (0, 3)
    assert is_clean(stderr)
    for line in stdout.splitlines():
        json.loads(line)
