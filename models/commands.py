"""``clickstream models``: what every model has in common, and a table of where each keeps its own verbs."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import wraps
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec
from click.core import ParameterSource

from clickstream import platform
from clickstream.cli import whole_sentence
from clickstream.errors import UserMistake
from clickstream.settings import from_env

if TYPE_CHECKING:
    from clickstream.models.registry.manifest import Description
    from clickstream.models.registry.s3 import Registry

#: Model → its verbs → the module with a command of that name. By name: what runs on the stream is above models.
MODELS: Mapping[str, Mapping[str, str]] = {
    "fraud": {
        "train": "clickstream.models.fraud.commands",
        "evaluate": "clickstream.models.fraud.commands",
        "shadow": "clickstream.consumers.fraud.commands",
        "label": "clickstream.consumers.fraud.commands",
    },
    "recommender": {"train": "clickstream.models.recommender.commands", "evaluate": "clickstream.models.recommender.commands"},
}


class ByModel(click.Group):
    """A verb whose sub-commands are the models that have it; a model's module is imported only when it is asked."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(model for model, verbs in MODELS.items() if self.name in verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        assert self.name is not None
        command = getattr(importlib.import_module(MODELS[cmd_name][self.name]), self.name)
        assert isinstance(command, click.Command)
        return whole_sentence(command)


@click.group()
def models() -> None:
    """Train and evaluate models, and say which version serves."""


@models.group(cls=ByModel, subcommand_metavar="MODEL [ARGS]…")
def train() -> None:
    """Train a model and publish it as a new version."""


@models.group(cls=ByModel, subcommand_metavar="MODEL [ARGS]…")
def evaluate() -> None:
    """Measure how good a model is."""


class OfFraud(ByModel):
    """Of one model only, so that its name may be left out."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args[0] in MODELS else ["fraud", *args])


@models.group(cls=OfFraud, subcommand_metavar="[fraud] VERSION")
def shadow() -> None:
    """Compare a version with the live one on the stream, deciding nothing."""


@models.group(cls=ByModel, subcommand_metavar="MODEL [ARGS]…")
def label() -> None:
    """Note what became known of decided purchases."""


#: Model → what decides while no version serves.
WITHOUT: Mapping[str, str] = {"fraud": "the rules", "recommender": "the live index"}
#: Model → what a version would do to recent traffic, asked before it serves: of a registry's version, an :class:`Outlook`.
OUTLOOKS: Mapping[str, str] = {"fraud": "clickstream.consumers.fraud.promotion:outlook"}
#: A person is asked before a version may turn away such a share of the shop.
MOST_BLOCKED = 0.1


class Outlook(NamedTuple):
    """``blocked``: the share of recent purchases; ``lines``: what is to be known before a promotion."""

    blocked: float
    lines: Sequence[str]


_MODEL = click.argument("model", type=click.Choice(sorted(MODELS)))
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would change.")


@models.command("list", epilog="Example: clickstream models list fraud")
@_MODEL
@_JSON
def list_versions(model: str, as_json: bool) -> None:
    """Every version, newest first; the one that serves is marked.

    With --json: one object per line, a version's manifest and "serving": true or false.
    """
    registry = _registry()
    pointer = registry.current(model)
    if pointer is None or pointer.version is None:
        click.echo(f"no version serves: {WITHOUT[model]} decide", err=True)
    for version in registry.versions(model):
        manifest = registry.manifest(model, version)
        serving = pointer is not None and pointer.version == version
        if as_json:
            click.echo(msgspec.json.encode({**msgspec.to_builtins(manifest), "serving": serving}))
        else:
            figures = "  ".join(f"{name} {figure:.4g}" for name, figure in manifest.description.metrics.items())
            training = manifest.description.training
            click.echo(f"{'*' if serving else ' '} {version}  {training.rows:,} rows of {training.source}  {figures}".rstrip())


@models.command(epilog="Example: clickstream models promote fraud 20261124T101500-3fb2c1 --dry-run")
@_MODEL
@click.argument("version")
@click.option("--yes", is_flag=True, help="Even if it would block a tenth of the recent purchases.")
@_DRY_RUN
def promote(model: str, version: str, yes: bool, dry_run: bool) -> None:
    """Let VERSION serve; workers take it up within seconds, between two commits.

    Of fraud, it first decides the purchases of the last day once more, for comparison only, and says how they differ from those
    that it was trained on. Before it would block a tenth of them, it asks.
    """
    registry = _registry()
    blocked = _look_ahead(registry, model, version)
    if dry_run:
        asks = blocked >= MOST_BLOCKED and not yes
        block = f"block {blocked:.0%} of the recent purchases: it asks, and does not serve without --yes in a script"
        click.echo(f"{version} would {block if asks else 'serve'}", err=True)
        return
    _let_serve(registry, model, version, 0.0 if yes else blocked)
    click.echo(version)


def _look_ahead(registry: Registry, model: str, version: str) -> float:
    """The share of recent purchases that it would block; what else is to be known is said."""
    loaded = registry.load(model, version)
    if model not in OUTLOOKS:
        return 0.0
    found = resolve_name(OUTLOOKS[model])(loaded)
    for line in found.lines:
        click.echo(line, err=True)
    return float(found.blocked)


def _let_serve(registry: Registry, model: str, version: str, blocked: float) -> None:
    if blocked >= MOST_BLOCKED:
        much = f"{version} would block {blocked:.0%} of the recent purchases"
        if not (sys.stdin.isatty() and click.confirm(f"{much}. Let it serve all the same?", err=True)):
            hint = f"`clickstream models shadow {version}` names them; if it is right: `models promote {model} {version} --yes`"
            raise UserMistake(f"{much}: it does not serve", hint)
    registry.promote(model, version, now_ms=_now_ms())


@models.command(epilog="Example: clickstream models rollback fraud")
@_MODEL
@_DRY_RUN
def rollback(model: str, dry_run: bool) -> None:
    """Let the version serve again that did before the current one; before the first, what decides without any.

    The name of the version that now serves comes on stdout; nothing, if none does.
    """
    registry = _registry()
    if dry_run:
        pointer = registry.current(model)
        serves = pointer is not None and pointer.version is not None
        before = next(iter(pointer.previous), WITHOUT[model]) if pointer and serves else "nothing: no version serves"
        click.echo(f"would go back to {before}", err=True)
        return
    version = registry.rollback(model, now_ms=_now_ms()).version
    if version is None:
        click.echo(f"no version serves any more: {WITHOUT[model]} decide", err=True)
    else:
        click.echo(version)


_ARCHIVE = click.option(
    "--archive", metavar="SQL", help="Instead of a file, the archive's events where \"date >= '2026-11-01'\", or true."
)


def trains(command: Callable[..., tuple[str, Mapping[str, bytes], Description]]) -> Callable[..., None]:
    """Makes a ``train`` of what is given the arguments ``file`` and ``source``, its name, and gives back (model, files,
    description).

    It learns from FILE or the archive's events, and ends with a stored version, whose name or manifest is printed.
    """

    @click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
    @_ARCHIVE
    @click.option("--promote", "promoted", is_flag=True, help="Let it serve at once.")
    @click.option("--dry-run", is_flag=True, help="Train and evaluate, publish nothing.")
    @click.option("--json", "as_json", is_flag=True, help="The manifest on stdout instead of the version's name.")
    @wraps(command)
    def of_either(
        *, file: Path | None, archive: str | None, promoted: bool, dry_run: bool, as_json: bool, **others: Any
    ) -> None:
        if (file is None) == (archive is None):
            raise click.UsageError("FILE or --archive")
        with _archived(archive) if file is None else nullcontext((file, file.name)) as (events, source):
            trained = command(**others, file=events, source=source)
        _publish(*trained, promoted=promoted, dry_run=dry_run, as_json=as_json)

    return of_either


def evaluates(command: Callable[..., None]) -> Callable[..., None]:
    """Gives an ``evaluate`` of ``dataset``, a data set or a file, the archive's events as another; ``source`` is its name."""

    @_ARCHIVE
    @wraps(command)
    def of_either(*, dataset: str, archive: str | None, **others: Any) -> None:
        if archive is not None and click.get_current_context().get_parameter_source("dataset") is not ParameterSource.DEFAULT:
            raise click.UsageError("--dataset or --archive")
        with _archived(archive) if archive is not None else nullcontext((dataset, dataset)) as (events, source):
            command(**others, dataset=str(events), source=source)

    return of_either


@contextmanager
def _archived(condition: str | None) -> Iterator[tuple[Path, str]]:
    """A file of its events in the order of time, as the features see them, and its name. Raises UserMistake, RetryLater."""
    from clickstream.aws import Clients

    settings = from_env()
    archive = resolve_name("clickstream.consumers.archive.views:Archive")(Clients(settings), settings)
    sql = f"SELECT * FROM events WHERE ({condition}) ORDER BY occurred_at, ordinal, event_id"
    with TemporaryDirectory() as folder:
        file = Path(folder) / "archive.ndjson"
        with archive.asked(sql) as kept, file.open("wb") as out:
            taken = [fault is None and out.write(line + b"\n") > 0 for line, fault in kept.events()]
        click.echo(f"{sum(taken):,} of {len(taken):,} events of the archive are events as they are declared here", err=True)
        if not any(taken):
            raise UserMistake(f"the archive holds no events where {condition}", hint="`clickstream worker archive` fills it")
        yield file, f"archive where {condition}"


def _publish(
    model: str, files: Mapping[str, bytes], description: Description, *, promoted: bool, dry_run: bool, as_json: bool
) -> None:
    from clickstream.models.registry.manifest import manifest_of

    now_ms = _now_ms()
    if dry_run:
        manifest = manifest_of(model, files, description, now_ms)
    else:
        registry = _registry()
        manifest = registry.publish(model, files, description, now_ms=now_ms)
    click.echo(msgspec.json.encode(manifest) if as_json else manifest.version)
    if promoted and not dry_run:
        _let_serve(registry, model, manifest.version, _look_ahead(registry, model, manifest.version))


def _now_ms() -> int:
    return int(time.time() * 1000)


def _registry() -> Registry:
    from clickstream.aws import Clients
    from clickstream.models.registry.s3 import Registry

    settings = from_env()
    return Registry(Clients(settings).s3, platform.MODELS.of(settings))
