"""The real program, run as a person's shell would, in an environment that leads to no AWS."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from clickstream.cli import cli
from clickstream.settings import child_environment

PROGRAM = [sys.executable, "-m", "clickstream.cli"]
#: Nothing listens on a port of 1 (tcpmux).
NOWHERE = "http://127.0.0.1:1"

OFFLINE = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_ENDPOINT_URL": NOWHERE,
}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def run(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """The finished program. ``folder`` is where it runs; ``environment`` replaces :data:`OFFLINE` with credentials."""
    values = {**OFFLINE, **CREDENTIALS} if environment is None else environment
    return subprocess.run(
        [*PROGRAM, *arguments],
        capture_output=True,
        text=True,
        input=given,
        cwd=folder,
        env=child_environment({"CLICKSTREAM_LOCAL_DIR": str(folder / ".local"), **values}),
        timeout=120,
        check=False,
    )


def commands() -> Iterator[tuple[str, ...]]:
    """The words of every command that does something, as ``("dlq", "list")``."""
    yield from _below(cli, ())


def _below(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _below(found, (*words, name))
        if not command.invoke_without_command:
            return
    yield words
