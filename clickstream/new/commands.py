"""``clickstream new``: a shop's own repository, begun from the templates beside this file."""

import keyword
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from clickstream.errors import UserMistake
from clickstream.needs import check_name

_TEMPLATES = Path(__file__).with_name("application")


@click.group()
def new() -> None:
    """The beginning of an application of your own."""


@new.command()
@click.argument("name")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where; without: a folder NAME in this one.")
def application(name: str, folder: Path | None) -> None:
    """Write a repository with an application that runs, its event, its test, its image, and the commands in its README.

    Nothing is overwritten.

    \b
    Example:
      clickstream new application wishlist
    """
    check_name(name)
    module, folder = name.replace("-", "_"), folder or Path(name)
    hides = keyword.iskeyword(module) or module in {"events", "tests", *sys.stdlib_module_names} or find_spec(module)
    if hides or find_spec(f"clickstream.consumers.{module}"):
        raise UserMistake(
            f"a module {module} would hide another, or an application of ours", hint="give the application another name"
        )
    made = {}
    for template in sorted(_TEMPLATES.rglob("*.template")):
        path = str(template.relative_to(_TEMPLATES)).removesuffix(".template").replace("MODULE", module)
        made[folder / path] = template.read_text(encoding="utf-8").replace("{{module}}", module).replace("{{name}}", name)
    if there := [path.name for path in made if path.exists()]:
        raise UserMistake(f"{folder} has {', '.join(there)} already", hint="--folder names another place")
    for file, text in made.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        click.echo(file)
    click.echo(f"clickstream: {folder / 'README.md'} says how to go on", err=True)
