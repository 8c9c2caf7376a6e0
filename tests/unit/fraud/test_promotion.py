"""What is looked at before a version serves: recent traffic beside its training, and how much of it would be blocked."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from clickstream.cli import cli
from clickstream.errors import UserMistake
from clickstream.models.fraud import labels, profile
from clickstream.models.fraud.purchases import PURCHASES
from tests.unit.fraud.shop import AT, Shop, effects
from tests.unit.fraud.shopping import START_MS, purchase


def promote(version: str, *options: str) -> Result:
    return CliRunner().invoke(cli, ["models", "promote", "fraud", version, *options])


def test_a_version_that_would_block_a_tenth_of_the_shop_does_not_serve_unasked(shop: Shop, good: dict[str, bytes]) -> None:
    spread = profile.encode(np.random.default_rng(1).normal(size=(500, len(PURCHASES.names))), PURCHASES.names)
    version = shop.publish({**good, profile.FILE: spread}, promote=False)
    told = promote(version, "--dry-run")
    assert told.exit_code == 0
    assert "no purchase was decided in the last 24 hours" in told.stderr

    shop.clock.now_s = time.time()
    for n in range(0, 100, 50):
        dear = [purchase(f"ann-{k}", START_MS, amount=90_000 if k < 15 else 300) for k in range(n, n + 50)]
        shop.sink.write(effects(*dear), AT)
    told = promote(version, "--dry-run")
    assert "would block 15% of the recent purchases: it asks" in told.stderr
    assert "would serve" not in told.stderr
    assert "would serve" in promote(version, "--dry-run", "--yes").stderr
    told = promote(version)
    assert isinstance(told.exception, UserMistake)
    assert "would block 15% of the recent purchases" in str(told.exception)
    assert "--yes" in told.exception.hint
    assert "latest 100 purchases" in told.stderr
    assert "amount" in told.stderr.splitlines()[-1]
    assert shop.registry.current("fraud") is None
    assert promote(version, "--yes").stdout.strip() == version
    back = CliRunner().invoke(cli, ["models", "rollback", "fraud"])
    assert (back.stdout, back.stderr) == ("", "no version serves any more: the rules decide\n")


def test_another_population_is_far_and_the_same_is_not() -> None:
    chance = np.random.default_rng(3)
    names = ("same", "moved", "gone", "constant")
    trained = chance.normal(size=(4_000, 4))
    trained[:, 3] = 1.0
    recent = chance.normal(size=(1_000, 4))
    recent[:, 1] += 1
    recent[:500, 2] = np.nan
    recent[:, 3] = 1.0
    found = profile.shifts(profile.encode(trained, names), recent, names)
    assert found["same"] < 0.05
    assert found["constant"] == 0
    assert min(found["moved"], found["gone"]) > profile.SHIFTED
    # the definition, by hand, of the feature of which half is missing
    before, now = np.array([*[0.1] * 10, 0.001]), np.array([*[0.05] * 10, 0.5])
    assert found["gone"] == pytest.approx(((now - before) * np.log(now / before)).sum(), rel=0.1)


def test_what_is_zero_for_almost_all_is_far_once_it_is_not() -> None:
    trained, recent = np.zeros((1_000, 2)), np.zeros((1_000, 2))
    trained[:50] = recent[:50] = 3.0
    recent[:, 1] = 20.0
    found = profile.shifts(profile.encode(trained, ("same", "moved")), recent, ("same", "moved"))
    assert found["same"] == 0
    assert found["moved"] > profile.SHIFTED


def test_labels_are_listed_as_they_were_noted_and_those_of_a_history_are_told(shop: Shop, tmp_path: Path) -> None:
    shop.clock.now_s = time.time()
    event = purchase("ann", START_MS)
    shop.sink.write(effects(event), AT)
    runner = CliRunner()
    ours, history = tmp_path / "ours.csv", tmp_path / "history.csv"
    ours.write_text(labels.written([(event.event_id, "takeover")]))
    history.write_text(labels.written([("never-on-the-stream", "takeover")]))
    for _ in range(2):
        assert runner.invoke(cli, ["models", "label", "fraud", str(ours)]).exit_code == 0
    decision = shop.of(event)
    assert [each.by for each in shop.decisions.reviews([decision])[decision.key]] == ["file ours.csv"]
    assert runner.invoke(cli, ["models", "label", "fraud", "--list", "--from", "1h"]).stdout == ours.read_text()
    told = runner.invoke(cli, ["models", "label", "fraud", str(history)])
    assert isinstance(told.exception, UserMistake)
    assert "models train fraud" in told.exception.hint
