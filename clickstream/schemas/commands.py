"""``clickstream schema``."""

import json
from pathlib import Path

import click

from clickstream.errors import UserMistake
from clickstream.events import DECLARED, EVENT_TYPES, SCHEMA_VERSION
from clickstream.schemas import published
from clickstream.schemas.declared import PUBLISHED, Declared
from clickstream.schemas.mapping import Schema
from clickstream.settings import events_folder


@click.group()
def schema() -> None:
    """The events' JSON Schemas."""


@schema.command(epilog="Example: clickstream schema show --own > events/published.json")
@click.option("--own", is_flag=True, help="Only what a shop declares, by version: the content of published.json.")
def show(own: bool) -> None:
    """Print the JSON Schema of the latest version."""
    shown = published.own(DECLARED.values()) if own else published.generate(EVENT_TYPES)
    click.echo(published.rendered(shown), nl=False)


@schema.command(epilog="Example: clickstream schema check")
@click.option("--published", "file", type=click.Path(path_type=Path), help="Default: published.json in each folder of types.")
def check(file: Path | None) -> None:
    """Compare the code's schema with the checked-in file, and a shop's own with its published one.

    Exit 1 on a difference, naming what would break.
    """
    old = published.checked_in()
    write_it = f"clickstream schema show > clickstream/schemas/events-v{SCHEMA_VERSION}.json"
    if not old:
        raise UserMistake(f"no schema file for version {SCHEMA_VERSION}", hint=write_it)
    if breaking := published.breaking_changes(json.loads(old), published.generate()):
        raise UserMistake(
            f"breaking: {'; '.join(breaking)}", hint="raise LATEST in clickstream/upcasting.py and add a step there"
        )
    if old != published.rendered(published.generate()):
        raise UserMistake("the checked-in schema is behind the code (compatibly)", hint=write_it)
    click.echo(f"schema version {SCHEMA_VERSION}: the code and the checked-in file agree", err=True)
    folders = {*filter(None, [events_folder()]), *(Path(each.source) for each in DECLARED.values() if each.schemas)}
    if file:
        _check_own(file, [*DECLARED.values()])
    for folder in [] if file else sorted(folders):
        _check_own(folder / PUBLISHED, [each for each in DECLARED.values() if each.source == str(folder)])


def _check_own(file: Path, declared: list[Declared]) -> None:
    write_it = f"clickstream schema show --own > {file}"
    if not file.is_file():
        raise UserMistake(f"{file} is not there: nothing says what producers were promised", hint=write_it)
    try:
        elsewhere = DECLARED.keys() - {each.name for each in declared}  # `show --own` printed those, too
        read = dict(json.loads(file.read_bytes()))
        old: Schema = {key: each for key, each in read.items() if key.rpartition(".v")[0] not in elsewhere}
        breaking = published.own_breaking_changes(old, declared)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserMistake(f"{file} is not what `clickstream schema show --own` prints", hint=write_it) from error
    if breaking:
        raise UserMistake(f"breaking: {'; '.join(breaking)}", hint="declare it as the type's next version, TYPE.vN.json")
    if old != json.loads(json.dumps(published.own(declared))):
        raise UserMistake(f"{file} is behind what is declared (compatibly)", hint=write_it)
    click.echo(f"{len(declared)} declared types: what is published and what is declared agree", err=True)
