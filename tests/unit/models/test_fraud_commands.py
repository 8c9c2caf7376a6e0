"""``clickstream models … fraud`` over files of events, and over moto's registry."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.cli import cli
from clickstream.consumers.fraud.fold import CROSSING, Candidate, FraudFold
from clickstream.errors import ClickstreamError, UserMistake
from clickstream.events import AnyEvent, Context, Item, Login, Purchase, encode
from clickstream.models.fraud import scoring
from clickstream.models.fraud.offline import labelled
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.models.registry.s3 import Registry
from clickstream.platform import MODELS
from clickstream.settings import Settings

SETTINGS = Settings()
START_MS = 1_790_000_000_000
PURCHASES_MADE = 3_000


def shoppers() -> tuple[list[AnyEvent], list[str]]:
    """Purchases of 300 people over a month; some accounts are guessed and emptied from elsewhere. And the frauds' ids."""
    chance = random.Random(11)
    events: list[AnyEvent] = []
    frauds: list[str] = []
    for n in range(PURCHASES_MADE):
        at_ms = START_MS + n * 15 * 60_000
        user = f"user-{chance.randrange(300)}"
        stolen = chance.random() < 0.05
        context = Context(device="elsewhere", country="BR") if stolen else Context(device=f"laptop-{user}", country="DE")
        envelope: dict[str, Any] = {"user_id": user, "session_id": f"session-{n}", "context": context}
        if stolen:
            events += [
                Login(event_id=f"login-{n}-{k}", occurred_at=at_ms - 60_000, success=False, **envelope) for k in range(4)
            ]
            frauds.append(f"purchase-{n}")
        amount = int(chance.lognormvariate(10.5 if stolen else 8.5, 0.5))
        events.append(
            Purchase(
                event_id=f"purchase-{n}",
                occurred_at=at_ms,
                order_id=f"order-{n}",
                items=(Item(product_id="p", price=amount),),
                amount=amount,
                currency="EUR",
                payment_fingerprint=f"card-{user}",
                **envelope,
            )
        )
    return events, frauds


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    events, frauds = shoppers()
    folder = tmp_path_factory.mktemp("training")
    (folder / "events.ndjson").write_bytes(b"".join(encode(event) + b"\n" for event in events))
    (folder / "labels.csv").write_text("event_id,fraud\n" + "".join(f"{event_id},1\n" for event_id in frauds))
    return folder / "events.ndjson", folder / "labels.csv"


@pytest.fixture
def registry() -> Iterator[Registry]:
    with mock_aws():
        clients = Clients(SETTINGS)
        clients.s3.create_bucket(Bucket=MODELS.of(SETTINGS))
        yield Registry(clients.s3, MODELS.of(SETTINGS))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["models", *map(str, arguments)])


def test_training_computes_what_serving_computes(files: tuple[Path, Path]) -> None:
    events, _ = shoppers()
    fold = FraudFold()
    fold.apply(events)
    served = [
        CROSSING.filled(effect.vector, effect.own, effect.occurred_at, {})
        for effect in fold.effects(flush=True)
        if isinstance(effect, Candidate)
    ]
    trained = labelled.read(files[0], None).features
    assert tuple(trained.columns) == PURCHASES.names
    assert [repr(tuple(row)) for row in trained.to_numpy().tolist()] == [repr(vector) for vector in served]


def test_the_split_is_by_time(files: tuple[Path, Path]) -> None:
    train, test = labelled.read(*files).split()
    assert len(test.facts) == PURCHASES_MADE // 5
    assert train.facts["occurred_at"].max() <= test.facts["occurred_at"].min()


def test_a_retry_is_not_a_second_purchase(files: tuple[Path, Path], tmp_path: Path) -> None:
    twice = tmp_path / "twice.ndjson"
    twice.write_bytes(b"".join(line + b"\n" + line + b"\n" for line in files[0].read_bytes().splitlines()[:50]))
    once = tmp_path / "once.ndjson"
    once.write_bytes(b"".join(line + b"\n" for line in files[0].read_bytes().splitlines()[:50]))
    assert labelled.read(twice, None).features.equals(labelled.read(once, None).features)


def test_evaluate_tells_money_and_draws(files: tuple[Path, Path], tmp_path: Path) -> None:
    picture = tmp_path / "curves.svg"
    told = run("evaluate", "fraud", "--dataset", files[0], "--labels", files[1], "--plots", picture, "--json")
    assert told.exit_code == 0, told.output
    document = json.loads(told.stdout)
    assert document["model"]["purchases"] == PURCHASES_MADE // 5
    assert document["model"]["auc"] > 0.95
    assert document["model"]["money_caught"] > 0.9
    assert document["model"]["cost"] < document["model"]["cost_of_approving_all"] / 3
    assert document["published"] == {}
    assert b"</svg>" in picture.read_bytes()


def test_train_promote_and_roll_back(files: tuple[Path, Path], registry: Registry) -> None:
    first = run("train", "fraud", files[0], "--promote")
    assert first.exit_code == 0, first.output
    second = run("train", "fraud", files[0], "--labels", files[1], "--promote", "--json")
    assert second.exit_code == 0, second.output
    manifest = json.loads(second.stdout)
    description = manifest["description"]
    assert description["features"] == list(PURCHASES.names)
    assert description["training"]["rows"] == PURCHASES_MADE
    assert description["metrics"]["auc"] > 0.95
    assert description["parameters"]["thresholds"]["review"] > 0

    pointer = registry.current(scoring.MODEL)
    assert pointer is not None
    assert (pointer.version, pointer.previous) == (manifest["version"], (first.stdout.strip(),))
    model = scoring.load(registry.load(scoring.MODEL, manifest["version"]), PURCHASES)
    assert model.card.is_supervised
    cold = scoring.load(registry.load(scoring.MODEL, first.stdout.strip()), PURCHASES)
    assert not cold.card.is_supervised

    assert run("rollback", "fraud").stdout.strip() == first.stdout.strip()
    listed = run("list", "fraud").stdout.splitlines()
    assert [line[0] for line in listed] == [" ", "*"] if manifest["version"] in listed[0] else ["*", " "]


def test_a_dry_run_publishes_nothing(files: tuple[Path, Path], registry: Registry) -> None:
    assert run("train", "fraud", files[0], "--dry-run").exit_code == 0
    assert registry.versions(scoring.MODEL) == []


@pytest.mark.parametrize(
    ("events", "labels", "reason"),
    [
        ('{"type": "purchase"}\n', None, "line 1"),
        ("not json\n", None, "line 1"),
        ("", None, "no purchases"),
        (None, "event_id\n", "no columns event_id and fraud"),
        (None, "event_id,fraud\npurchase-1,maybe\n", "line 2: fraud is 'maybe'"),
        (None, "event_id,fraud\nsomebody-else,1\n", "no fraud of"),
    ],
)
def test_bad_files_are_told_by_line(
    files: tuple[Path, Path], tmp_path: Path, events: str | None, labels: str | None, reason: str
) -> None:
    file, truth = files[0], None
    if events is not None:
        file = tmp_path / "events.ndjson"
        file.write_text(events)
    if labels is not None:
        truth = tmp_path / "labels.csv"
        truth.write_text(labels)
    with pytest.raises(UserMistake, match=reason):
        labelled.read(file, truth)


def test_mistakes_are_one_line(files: tuple[Path, Path]) -> None:
    for arguments in (("--dataset", files[0]), ("--dataset", "nowhere", "--labels", files[1]), ("--capacity", "0")):
        told = run("evaluate", "fraud", *arguments)
        assert told.exit_code == 1
        assert isinstance(told.exception, ClickstreamError)


def test_the_card_round_trips(files: tuple[Path, Path]) -> None:
    from clickstream.models.fraud.costs import Costs
    from clickstream.models.fraud.offline import training

    purchases = labelled.read(files[0], None)
    card = training.train_unsupervised(purchases.features, PURCHASES, Costs(), seed=0).card
    again = msgspec.msgpack.decode(scoring.encode(card, b"")[scoring.CARD_FILE], type=scoring.Card)
    assert repr(again) == repr(card)


@pytest.mark.parametrize("arguments", [["train", "fraud", "events.ndjson"], ["evaluate", "fraud"]])
def test_without_the_extra_one_line_says_what_to_install(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "sys.modules['sklearn'] = sys.modules['matplotlib'] = None\n"
        "from clickstream.cli import main\n"
        f"main(['models', *{arguments!r}])\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert said.stderr.splitlines()[-2:] == [
        "clickstream: this needs sklearn, which is not installed",
        'hint: pip install "clickstream[models]", or `uv sync --extra models`',
    ]
    assert "Traceback" not in said.stderr
