"""How the parameters were found, and what each is worth, on the training alone.

``python -m clickstream.load.benchmarks.recommending.parameter_search``

Each parameter in turn takes the values of its row, the others stay; the value with the greatest recall + MRR is kept, and the
next parameter is looked at with it. Several passes go round until nothing moves. The test is not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click
import msgspec

from clickstream.models.recommender import clicks, datasets, evaluation
from clickstream.models.recommender.clicks import Clicks
from clickstream.models.recommender.parameters import Parameters
from clickstream.settings import from_env

#: What is tried; bounds that cost memory or time (sessions per item, neighbours, rules) are not in it: more is always better.
TRIED: Mapping[str, Sequence[float]] = {
    "item_decay": (0.2, 0.3, 0.4, 0.5, 0.7),
    "idf_power": (1.0, 2.0, 3.0, 4.0),
    "length_power": (0.0, 0.15, 0.3, 0.5),
    "age_days": (2.0, 3.5, 5.0, 7.0, 14.0, 1e6),
    "nearness": (0.75, 1.0, 1.5, 2.0, 3.0),
    "backward": (0.3, 0.5, 0.7, 0.85, 1.0),
    "rules": (0.0, 0.05, 0.1, 0.2, 0.4),
    "second_step": (0.0, 0.25, 0.5, 0.75),
    "repeat": (0.0, 0.4, 0.6, 0.8, 1.0, 1.2),
    "popular": (0.0, 0.005, 0.01, 0.02, 0.05),
}


def quality(training: Clicks, test: Clicks, parameters: Parameters) -> evaluation.Quality:
    return evaluation.evaluate(training, test, parameters, evaluation.OURS).all


@click.command()
@click.option("--dataset", default="yoochoose_100k_valid", show_default=True, help="Whose second half judges.")
@click.option("--passes", default=3, show_default=True, type=click.IntRange(1, 10))
def main(dataset: str, passes: int) -> None:
    """Print a row per value that is tried, marked * where it is kept, and what was found as JSON."""
    split = datasets.load(dataset, from_env().datasets)
    training, test = clicks.group(split.training), clicks.group(split.test)
    parameters = Parameters()
    for number in range(passes):
        before = parameters
        for name, values in TRIED.items():
            found = {value: _with(training, test, parameters, name, value) for value in values}
            best = max(found, key=lambda value: found[value].recall + found[value].mrr)
            parameters = msgspec.structs.replace(parameters, **{name: best})
            for value, result in found.items():
                mark = "*" if value == best else " "
                click.echo(f"{number + 1}  {name:<13} {value:>9g} {mark} recall {result.recall:.4f}  mrr {result.mrr:.4f}")
        if parameters == before:
            break
    click.echo(msgspec.json.encode(parameters))


def _with(training: Clicks, test: Clicks, parameters: Parameters, name: str, value: float) -> evaluation.Quality:
    return quality(training, test, msgspec.structs.replace(parameters, **{name: value}))


if __name__ == "__main__":
    main()
