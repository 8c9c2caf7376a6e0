"""``clickstream load``: replay a file, run generated traffic, verify the answers."""

from __future__ import annotations

import click

from clickstream.load.driving.command import run
from clickstream.load.replay.command import replay
from clickstream.load.traffic.history.command import history
from clickstream.load.verdict.command import verify


@click.group()
def load() -> None:
    """Traffic for the stream, and the proof that its answers are right."""


for _command in (run, verify, replay, history):
    load.add_command(_command)
