"""``clickstream models`` from training to rollback, over S3 (moto)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from moto import mock_aws

from clickstream import events, platform
from clickstream.aws import Clients
from clickstream.cli import cli
from clickstream.consumers.archive.views import Archive
from clickstream.errors import UserMistake
from clickstream.models.commands import MODELS
from clickstream.models.recommender import model
from clickstream.models.recommender.model import Recommender, Seen
from clickstream.models.registry.s3 import Registry
from clickstream.settings import Settings
from tests.unit.archive.test_export import Kept
from tests.unit.recommendations.traffic import traffic

SETTINGS = Settings()


@pytest.fixture
def registry() -> Iterator[Registry]:
    with mock_aws():
        s3 = Clients(SETTINGS).s3
        s3.create_bucket(Bucket=platform.MODELS.of(SETTINGS))
        yield Registry(s3, platform.MODELS.of(SETTINGS))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"".join(events.encode(event) + b"\n" for event in traffic(1, 400, users=40)))
    return path


def run(*arguments: str) -> str:
    answer = CliRunner().invoke(cli, ["models", *arguments], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_from_training_to_rollback(registry: Registry, file: Path) -> None:
    first = run("train", "recommender", str(file), "--promote").strip()
    assert registry.versions("recommender") == [first]
    manifest = registry.manifest("recommender", first)
    assert manifest.description.training.rows == sum(
        any(kind in line for kind in (b'"product_view"', b'"add_to_cart"', b'"search"'))
        for line in file.read_bytes().splitlines()
    )
    assert 0 < manifest.description.metrics["recall"] <= 1
    loaded = model.decode(registry.load("recommender", first))
    assert Recommender.of(loaded).recommend([Seen("p1")], 3)

    file.write_bytes(file.read_bytes()[: file.read_bytes().rindex(b"\n", 0, -1) + 1])
    second = json.loads(run("train", "recommender", str(file), "--skip-evaluation", "--json"))["version"]
    listed = [json.loads(line) for line in run("list", "recommender", "--json").splitlines()]
    assert {entry["version"]: entry["serving"] for entry in listed} == {first: True, second: False}
    run("promote", "recommender", second, "--dry-run")
    assert registry.current("recommender").version == first  # type: ignore[union-attr]  # it was promoted
    assert run("promote", "recommender", second).strip() == second
    assert f"* {second}" in run("list", "recommender")
    run("rollback", "recommender", "--dry-run")
    assert run("rollback", "recommender").strip() == first


def test_a_dry_run_publishes_nothing(registry: Registry, file: Path) -> None:
    run("train", "recommender", str(file), "--skip-evaluation", "--dry-run")
    assert registry.versions("recommender") == []


@pytest.mark.parametrize("model", MODELS)
def test_every_verb_of_the_table_is_a_command(model: str) -> None:
    for verb in MODELS[model]:
        assert "Usage:" in run(verb, model, "--help")
    assert CliRunner().invoke(cli, ["models", "train", "no-such-model"]).exit_code == 2


def test_the_archive_trains_what_a_file_of_its_events_trains(
    registry: Registry, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(tmp_path / "bucket", monkeypatch)
    sent = [events.decode(line) for line in file.read_bytes().splitlines()]
    kept.keep(sent, events.EVENT_TYPES)
    monkeypatch.setattr(Archive, "files", lambda _: sorted(kept.names))
    file.write_bytes(b"".join(events.encode(each) + b"\n" for each in sorted(sent, key=lambda each: each.occurred_at)))
    train = ("train", "recommender", "--skip-evaluation", "--dry-run", "--json")
    expected, of_all, of_some = (
        json.loads(run(*train, *chosen))["description"]["training"]
        for chosen in ([str(file)], ["--archive", "true"], ["--archive", "type = 'search'"])
    )
    assert of_all == {**expected, "source": "archive where true"}
    assert of_some["source"] == "archive where type = 'search'"
    assert 0 < of_some["rows"] < of_all["rows"]
    evaluate = ("evaluate", "recommender", "--json")
    judged = json.loads(run(*evaluate, "--dataset", str(file)))
    assert json.loads(run(*evaluate, "--archive", "true")) == {**judged, "dataset": "archive where true"}
    with pytest.raises(UserMistake, match="no events"):
        run(*train, "--archive", "false")


@pytest.mark.parametrize("model", ["fraud", "recommender"])
@pytest.mark.parametrize("chosen", [[], ["events.ndjson", "--archive", "true"]])
def test_training_needs_a_file_or_the_archive(model: str, chosen: list[str]) -> None:
    answer = CliRunner().invoke(cli, ["models", "train", model, *chosen])
    assert answer.exit_code == 2
    assert "FILE or --archive" in answer.output


@pytest.mark.parametrize("model", ["fraud", "recommender"])
def test_a_data_set_is_not_evaluated_in_place_of_the_archive(model: str) -> None:
    answer = CliRunner().invoke(cli, ["models", "evaluate", model, "--dataset", "events.ndjson", "--archive", "true"])
    assert answer.exit_code == 2
    assert "--dataset or --archive" in answer.output
