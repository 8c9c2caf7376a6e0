"""``clickstream models train|evaluate fraud``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from clickstream.errors import Missing, UserMistake
from clickstream.models.commands import evaluates, trains
from clickstream.settings import from_env
from clickstream.terminal import print_table

if TYPE_CHECKING:
    from clickstream.models.fraud.costs import Costs
    from clickstream.models.fraud.offline.evaluation import Report
    from clickstream.models.fraud.offline.trials import Trial
    from clickstream.models.registry.manifest import Description

T = TypeVar("T")

_FILE = click.Path(dir_okay=False, path_type=Path)
_LABELS = click.option("--labels", type=_FILE, help="CSV with the columns event_id and fraud (0 or 1).")

#: Modules of the extra ``models``, see pyproject.toml: what only training and evaluating need.
_EXTRA = frozenset({"matplotlib", "sklearn"})


@contextmanager
def _models_extra() -> Iterator[None]:
    """Around imports: raises Missing, with a hint, for what the extra would bring."""
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in _EXTRA:
            raise
        raise Missing(
            f"this needs {name}, which is not installed", hint='pip install "clickstream[models]", or `uv sync --extra models`'
        ) from error


#: Fields of Costs, as options.
_MONEY_AND_PEOPLE = {
    "missed_fraud": (100.0, "What an approved fraud costs."),
    "false_block": (30.0, "What a blocked genuine purchase costs."),
    "review": (3.0, "What looking at a purchase costs."),
    "capacity": (0.02, "The share of purchases that people can review."),
}


def _costs(command: Callable[..., T]) -> Callable[..., T]:
    """The options of money and people, as the argument ``costs``."""

    @wraps(command)
    def with_costs(**given: Any) -> T:
        from clickstream.models.fraud.costs import Costs

        try:
            costs = Costs(**{name: given.pop(name) for name in _MONEY_AND_PEOPLE})
        except ValueError as error:
            raise UserMistake(str(error)) from error
        return command(**given, costs=costs)

    described: Callable[..., T] = with_costs
    for name, (default, text) in reversed(_MONEY_AND_PEOPLE.items()):
        option = f"--{name.replace('_', '-')}"
        described = click.option(option, type=float, default=default, show_default=True, help=text)(described)
    return described


@click.command()
@evaluates
@click.option(
    "--dataset",
    default="handbook",
    show_default=True,
    metavar="NAME|FILE",
    help="handbook, or a file of events (NDJSON) whose latest fifth of purchases is the test; that needs --labels.",
)
@_LABELS
@click.option("--test", nargs=2, type=_FILE, metavar="EVENTS LABELS", help="Judge on these instead of on the latest fifth.")
@click.option("--plots", type=_FILE, help="Draw precision-recall, calibration and cost curves into this PNG or SVG.")
@_costs
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def evaluate(
    dataset: str,
    source: str,
    labels: Path | None,
    test: tuple[Path, Path] | None,
    plots: Path | None,
    costs: Costs,
    as_json: bool,
) -> None:
    """Train on the earlier part of a data set, and judge the scores of the later part.

    \b
    With --json: {"dataset", "thresholds", "costs", "model": R, "unsupervised": R, "published": {name: {...}},
      "kinds": {kind: {"frauds", "share_of_money", "caught", "money_caught"}} at 1 % false alarms}, R being
      auc, average_precision, card_precision (at 100 cards a day), brier
      reviewed, blocked          shares of all purchases
      caught, money_caught       shares of the frauds, and of their amount
      false_alarms, precision    shares of the genuine purchases, and of the alarms
      cost, cost_of_approving_all

    Examples:

      clickstream models evaluate fraud --json

      clickstream models evaluate fraud --dataset events.ndjson --labels labels.csv --plots build/fraud.png

      clickstream models evaluate fraud --archive "date >= '2026-11-01'" --labels labels.csv
    """
    with _models_extra():
        from clickstream.models.fraud.offline import handbook_data, trials
        from clickstream.models.fraud.offline import plots as drawing

    click.echo(f"training and scoring on {source}", err=True)
    if dataset == "handbook":
        trial = trials.handbook(from_env().datasets, costs)
    else:
        trial = trials.of_files(Path(dataset), labels, test, costs)
    if plots is not None:
        drawing.draw(plots, trial.scores, trial.frauds, trial.thresholds, costs, title=f"fraud, {source}")
        click.echo(f"drew {plots}", err=True)
    if as_json:
        document = {
            "dataset": source,
            "thresholds": trial.thresholds,
            "costs": costs,
            "model": trial.model,
            "unsupervised": trial.unsupervised,
            "kinds": trial.kinds,
            "published": handbook_data.PUBLISHED if dataset == "handbook" else {},
        }
        click.echo(msgspec.json.encode(document))
    else:
        _print_table(trial, published=dataset == "handbook")


def _print_table(trial: Trial, *, published: bool) -> None:
    from clickstream.models.fraud.offline import handbook_data

    numbers = ("AUC", "average precision", "card precision@100", "caught", "money", "false alarms", "cost")
    rows = [("ours", *_figures(trial.model)), ("ours, without labels", *_figures(trial.unsupervised))]
    for name, figures in handbook_data.PUBLISHED.items() if published else ():
        known = (f"{figures.auc:.3f}", f"{figures.average_precision:.3f}", f"{figures.card_precision:.3f}")
        rows.append((name, *known, "", "", "", ""))
    print_table(("", *numbers), rows, right=numbers)
    shares_of = ("frauds", "share of money", "caught", "money caught")
    kinds = []
    for name, kind in trial.kinds.items():
        shares = (kind.share_of_money, kind.caught, kind.money_caught)
        kinds.append((name, f"{kind.frauds:,}", *(f"{share:.1%}" for share in shares)))
    print_table(("by kind, at 1 % false alarms", *shares_of), kinds, right=shares_of)
    result = trial.model
    saved = f"approving all would cost {result.cost_of_approving_all:,.0f}"
    click.echo(f"{result.purchases:,} purchases, {result.frauds:,} frauds; {saved}", err=True)


def _figures(result: Report) -> list[str]:
    return [
        f"{result.auc:.3f}",
        f"{result.average_precision:.3f}",
        f"{result.card_precision:.3f}",
        f"{result.caught:.1%}",
        f"{result.money_caught:.1%}",
        f"{result.false_alarms:.2%}",
        f"{result.cost:,.0f}",
    ]


@click.command()
@trains
@_LABELS
@_costs
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed is the same model.")
def train(
    file: Path, source: str, labels: Path | None, costs: Costs, seed: int
) -> tuple[str, Mapping[str, bytes], Description]:
    """Train on the events of FILE (NDJSON), or of the archive, and publish a version.

    With --labels it is a gradient-boosted model whose figures are measured on the latest fifth of the purchases, before it is
    trained on all of them. Without, for the cold start, an isolation forest that sends the strangest purchases to review.

    \b
    Examples:
      clickstream models train fraud events.ndjson --labels labels.csv --promote
      clickstream models train fraud --archive "date >= '2026-11-01'" --labels labels.csv
    """
    with _models_extra():
        from clickstream.models.fraud import profile, scoring
        from clickstream.models.fraud.offline import labelled, training, trials
    from clickstream.models.fraud.purchases import PURCHASES
    from clickstream.models.registry.manifest import Description, Training

    purchases = labelled.read(file, labels)
    metrics: dict[str, float] = {}
    if purchases.frauds is None:
        click.echo(f"training on {len(purchases.facts):,} purchases without labels", err=True)
        trained = training.train_unsupervised(purchases.features, PURCHASES, costs, seed=seed)
        parameters = {"model": "IsolationForest"}
    else:
        click.echo("evaluating on the latest fifth", err=True)
        metrics = {name: float(figure) for name, figure in msgspec.structs.asdict(trials.of(purchases, costs).model).items()}
        click.echo(f"training on {len(purchases.facts):,} purchases, {int(purchases.frauds.sum()):,} frauds", err=True)
        trained = training.train(purchases.features, purchases.frauds, purchases.facts["user_id"], PURCHASES, costs, seed=seed)
        parameters = training.parameters()
    times = purchases.facts["occurred_at"]
    description = Description(
        training=Training(
            source=source,
            from_ms=int(times.min()),
            to_ms=int(times.max()),
            rows=len(times),
            sha256=purchases.sha256,
        ),
        parameters={
            **parameters,
            "seed": seed,
            "costs": msgspec.to_builtins(costs),
            "thresholds": msgspec.to_builtins(trained.card.thresholds),
        },
        features=list(PURCHASES.names),
        metrics=metrics,
        libraries={name: version(name) for name in ("numpy", "pandas", "scikit-learn", "treelite")},
    )
    rows = purchases.features.to_numpy("float64")
    files = {**scoring.encode(trained.card, trained.trees), profile.FILE: profile.encode(rows, PURCHASES.names)}
    return scoring.MODEL, files, description
