"""Every failure that a person can cause: one line that names it, a hint, exit code 1 or 2, nothing on stdout, no traceback."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from tests.unit.manners.program import CREDENTIALS, OFFLINE, commands, run

EVENT = '{"type":"page_view","event_id":"e1","user_id":"u1","session_id":"s1","occurred_at":1}\n'
#: Commands that ask AWS, with the arguments that bring them there.
ASKING: dict[tuple[str, ...], tuple[str, ...]] = {
    ("collect",): ("--port", "0"),
    ("dlq", "list"): (),
    ("dlq", "redrive"): ("--dry-run",),
    ("dlq", "show"): ("abc",),
    ("load", "replay"): ("events.ndjson",),
    ("load", "run"): ("--duration", "1"),
    ("models", "list"): ("fraud",),
    ("models", "promote"): ("fraud", "v1"),
    ("models", "rollback"): ("fraud",),
    ("produce",): ("events.ndjson",),
    ("query", "aggregates"): (),
    ("query", "decision"): ("e1",),
    ("query", "recommendations"): ("u1",),
    ("serve",): ("--port", "0"),
    ("shards", "list"): (),
    ("shards", "merge"): ("0", "1"),
    ("shards", "scale"): ("2",),
    ("shards", "split"): ("0",),
    ("tail",): (),
    ("worker",): ("analytics",),
}
_ASKING = [pytest.param((*words, *rest), id=" ".join(words)) for words, rest in ASKING.items()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "events.ndjson").write_text(EVENT)
    return tmp_path


def _one_line_and_a_hint(said: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in said.stderr.splitlines() if line]
    assert "Traceback" not in said.stderr
    assert (said.returncode, said.stdout) == (1, ""), said.stderr
    assert [line.partition(": ")[0] for line in lines[-2:]] == ["clickstream", "hint"], said.stderr
    assert "a fault of this program" not in said.stderr
    return lines[-2]


def test_the_list_names_commands_that_are_there() -> None:
    assert ASKING.keys() <= set(commands())


@pytest.mark.parametrize("arguments", _ASKING)
def test_nothing_answers_at_the_endpoint(arguments: tuple[str, ...], folder: Path) -> None:
    assert "connect to the endpoint" in _one_line_and_a_hint(run(*arguments, folder=folder))


@pytest.mark.parametrize("arguments", _ASKING)
def test_no_credentials(arguments: tuple[str, ...], folder: Path) -> None:
    assert "credentials" in _one_line_and_a_hint(run(*arguments, folder=folder, environment=OFFLINE))


@pytest.mark.parametrize("name", ["nonsense", "./nonsense.py", ".nonsense"])
def test_an_unknown_application(name: str, folder: Path) -> None:
    assert "not an application" in _one_line_and_a_hint(run("worker", name, folder=folder))


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"AWS_PROFILE": "nobody"}, "nobody"),
        ({"AWS_ENDPOINT_URL": "localhost:4566"}, "AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:port"}, "AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL_KINESIS": "nonsense"}, "AWS_ENDPOINT_URL_KINESIS"),
        ({"AWS_REGION": "the moon"}, "AWS_REGION"),
        ({"CLICKSTREAM_NAME": "My_Shop"}, "CLICKSTREAM_NAME"),
        ({"CLICKSTREAM_LOG_LEVEL": "loud"}, "CLICKSTREAM_LOG_LEVEL"),
        ({"CLICKSTREAM_HUNG_AFTER_S": "long"}, "CLICKSTREAM_HUNG_AFTER_S"),
    ],
)
def test_a_variable_is_wrong(variables: dict[str, str], named: str, folder: Path) -> None:
    said = run("tail", folder=folder, environment={**OFFLINE, **CREDENTIALS, **variables})
    assert named in _one_line_and_a_hint(said)


@pytest.mark.parametrize(
    "arguments",
    [
        ("produce", "nowhere.ndjson"),
        ("load", "replay", "nowhere.ndjson", "--dry-run"),
        ("load", "verify"),
        ("models", "train", "fraud", "nowhere.ndjson"),
        ("models", "evaluate", "recommender", "--dataset", "nowhere"),
        ("load", "history", "no/such/folder.ndjson", "labels.csv"),
        ("collect", "keys", "list"),
    ],
    ids=" ".join,
)
def test_a_file_is_not_there(arguments: tuple[str, ...], folder: Path) -> None:
    said = run(*arguments, folder=folder)
    assert (said.returncode, said.stdout) == (1, "")
    assert "Traceback" not in said.stderr
    assert (
        any(word in said.stderr for word in arguments if word.startswith("no"))
        or "no ledger" in said.stderr
        or ("collector-keys.json" in said.stderr)
    )


@pytest.mark.parametrize("command", [("produce", "--dry-run"), ("load", "replay", "--dry-run")], ids=" ".join)
def test_a_line_is_no_event(command: tuple[str, ...], folder: Path) -> None:
    (folder / "mixed.ndjson").write_text(EVENT + "{]\n" + EVENT.replace("e1", "e2") + '{"type":"page_view"}\n')
    said = run(*command, "mixed.ndjson", folder=folder)
    assert (said.returncode, said.stdout) == (3, "")
    assert "line 2" in said.stderr
    assert "line 4" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("tail", "--since", "whenever"),
        ("tail", "--limit", "0"),
        ("produce", "--rate", "0"),
        ("load", "run", "--duration", "-1"),
        ("load", "replay", "events.ndjson", "--dry-run", "--verify"),
        ("shards", "scale", "none"),
        ("shards", "list", "--graph", "--json"),
        ("query", "aggregates", "--from", "now", "--to", "2h ago"),
        ("query", "aggregates", "--granularity", "year"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(arguments: tuple[str, ...], folder: Path) -> None:
    said = run(*arguments, folder=folder)
    assert (said.returncode, said.stdout) == (2, ""), said.stderr
    assert "Error: " in said.stderr
    assert "Traceback" not in said.stderr


def test_a_port_is_taken(folder: Path) -> None:
    # `serve` asks the stores first, so the collector's keys stand for both: neither reaches AWS before it has its port
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = run("collect", "--port", str(taken.getsockname()[1]), folder=folder)
    assert "is taken" in _one_line_and_a_hint(said)


def test_debug_shows_where_it_failed(folder: Path) -> None:
    said = run("tail", "--debug", folder=folder)
    assert said.returncode == 1
    assert "Traceback" in said.stderr
