"""``clickstream new``: a shop's own repository, begun from the templates beside this file."""

import keyword
import sys
from importlib.resources import files
from pathlib import Path

import click

from clickstream.errors import UserMistake
from clickstream.needs import check_name

#: Template → the file that it becomes.
_FILES = {
    "module.py": "{{module}}.py",
    "test_module.py": "tests/test_{{module}}.py",
    "like.v1.json": "events/like.v1.json",
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "Dockerfile": "Dockerfile",
    "gitignore": ".gitignore",
}


@click.group()
def new() -> None:
    """The beginning of an application of your own."""


@new.command()
@click.argument("name")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Where to write it; without: a new folder NAME here."
)
def application(name: str, folder: Path | None) -> None:
    """Write a repository with an application that runs, its test, an event of its own, and the commands in its README.

    Nothing is overwritten.

    \b
    Example:
      clickstream new application wishlist
    """
    check_name(name, of="clickstream new application")
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in {"clickstream", "events", "tests", *sys.stdlib_module_names}:
        raise UserMistake(f"a module {module} would hide another", hint="give the application another name")
    folder = folder or Path(name)
    made = {_filled(target, name, module): template for template, target in _FILES.items()}
    if there := [target for target in made if (folder / target).exists()]:
        raise UserMistake(f"{folder} has {', '.join(there)} already", hint="--folder names another place")
    for target, template in made.items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        text = files(__package__).joinpath("application", f"{template}.template").read_text(encoding="utf-8")
        (folder / target).write_text(_filled(text, name, module), encoding="utf-8")
        click.echo(folder / target)
    click.echo(f"clickstream: {folder / 'README.md'} says how to go on", err=True)


def _filled(text: str, name: str, module: str) -> str:
    return text.replace("{{name}}", name).replace("{{module}}", module)
