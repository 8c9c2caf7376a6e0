"""``clickstream models train|evaluate recommender``."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from clickstream.errors import UserMistake
from clickstream.models.commands import evaluates, trains
from clickstream.settings import from_env
from clickstream.terminal import print_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream.models.recommender.evaluation import Result
    from clickstream.models.registry.manifest import Description


@click.command()
@evaluates
@click.option(
    "--dataset",
    default="yoochoose_100k",
    show_default=True,
    metavar="NAME|FILE",
    help="yoochoose_100k, yoochoose_100k_valid, or a file of clicks or events: its last fifth of sessions is the test.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def evaluate(dataset: str, source: str, as_json: bool) -> None:
    """The recommender and the field's simple methods on the same next clicks.

    \b
    With --json: {"dataset", "training": {...}, "parameters": {...}, "results": {method: {"all": Q, "unseen": Q}}}, Q being
      positions          next clicks that were asked for
      recall, mrr, ndcg  at 20
      coverage           share of the items that were ever listed
      novelty            bits per listed item
    "unseen" counts only next clicks that are new to their session, and lists only new items.

    Examples:

      clickstream models evaluate recommender --json

      clickstream models evaluate recommender --dataset events.ndjson

      clickstream models evaluate recommender --archive "date >= '2026-11-01'"
    """
    from clickstream.models.recommender import clicks, datasets, evaluation
    from clickstream.models.recommender.baselines import BASELINES
    from clickstream.models.recommender.parameters import Parameters

    split = datasets.load(dataset, from_env().datasets)
    parameters = Parameters()
    training, test = clicks.group(split.training), clicks.group(split.test)
    if not training.sessions or not test.sessions:
        raise UserMistake(f"{source} holds too few sessions to train on one part and test on another")
    results: dict[str, Result] = {}
    for name in (*BASELINES, evaluation.OURS):
        click.echo(f"evaluating {name}", err=True)
        results[name] = evaluation.evaluate(training, test, parameters, name)
    if as_json:
        document = {
            "dataset": source,
            "training": {
                "sessions": training.sessions,
                "clicks": len(training.items),
                "items": len(training.vocabulary),
                "sha256": clicks.data_digest(split.training),
            },
            "parameters": parameters,
            "results": results,
        }
        click.echo(msgspec.json.encode(document))
    else:
        _print_table(results)


def _print_table(results: Mapping[str, Result]) -> None:
    numbers = ("recall", "mrr", "ndcg", "coverage", "novelty", "unseen", "unseen mrr")
    rows = []
    for name, result in results.items():
        every, unseen = result.all, result.unseen
        figures = (every.recall, every.mrr, every.ndcg, every.coverage, every.novelty, unseen.recall, unseen.mrr)
        rows.append([name, *(f"{figure:.4f}" for figure in figures)])
    print_table(("at 20", *numbers), rows, right=numbers)
    positions = next(iter(results.values())).all.positions
    click.echo(f"{positions:,} positions", err=True)


@click.command()
@trains
@click.option(
    "--skip-evaluation", is_flag=True, help="Publish without figures (they cost a training on the first four fifths)."
)
def train(file: Path, source: str, skip_evaluation: bool) -> tuple[str, Mapping[str, bytes], Description]:
    """Train on FILE (clicks as yoochoose has them, or events as NDJSON), or on the archive, and publish a version.

    The version's figures are measured on the last fifth of the sessions, before it is trained on all of them.

    \b
    Examples:
      clickstream models train recommender events.ndjson --promote
      clickstream models train recommender --archive "date >= '2026-11-01'"
    """
    from clickstream.models.recommender import NAME, clicks, datasets, evaluation, model
    from clickstream.models.recommender.parameters import Parameters
    from clickstream.models.registry.manifest import Description, Training

    every = datasets.read(file)
    if not every:
        raise UserMistake(f"{source} holds no clicks")
    parameters = Parameters()
    metrics: dict[str, float] = {}
    if not skip_evaluation:
        click.echo("evaluating on the last fifth", err=True)
        split = datasets.split(every)
        groups = clicks.group(split.training), clicks.group(split.test)
        result = evaluation.evaluate(*groups, parameters, evaluation.OURS)
        metrics = {name: float(figure) for name, figure in msgspec.structs.asdict(result.all).items()}
    grouped = clicks.group(every)
    click.echo(f"training on {grouped.sessions:,} sessions", err=True)
    files = model.encode(model.train(grouped, parameters))
    description = Description(
        training=Training(
            source=source,
            from_ms=int(grouped.began_s * 1000),
            to_ms=int(grouped.ended_s.max() * 1000),
            rows=len(every),
            sha256=clicks.data_digest(every),
        ),
        parameters=msgspec.to_builtins(parameters),
        metrics=metrics,
        libraries={"numpy": version("numpy")},
    )
    return NAME, files, description
