"""The ``clickstream`` command: a table of lazily imported sub-commands, and the manners they share.

Data goes to stdout, progress and logs to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some input was
rejected, 130 interrupted. A failure a person can cause is one line and a hint; ``--debug`` adds the traceback.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from clickstream.errors import ClickstreamError, UserMistake

#: name → (module:attribute, one line of help). The text stands here so that ``--help`` imports nothing.
COMMANDS: dict[str, tuple[str, str]] = {
    "archive": ("consumers.archive.commands:archive", "The archive's Parquet files: compact them."),
    "collect": ("producers.collector.commands:collect", "The HTTP collector: POST /v1/events, answered when Kinesis has it."),
    "dlq": ("consumers.dead_letters.commands:dlq", "Rejected records: list, show, redrive."),
    "load": ("load.commands:load", "Generate traffic, replay a file, verify the answers."),
    "local": ("infra.local.commands:local", "The embedded AWS alone: start, stop, status."),
    "models": ("models.commands:models", "Train, evaluate, promote and roll back models."),
    "orders": ("consumers.orders.commands:orders", "Orders and the inventory: show, cancel, stock."),
    "produce": ("producers.commands:produce", "Put NDJSON events from a file or stdin on the stream."),
    "query": ("serving.query:query", "Ask for aggregates, decisions, recommendations, or in SQL."),
    "schema": ("clickstream.schema:schema", "Print or check the events' JSON Schemas."),
    "serve": ("serving.commands:serve", "The HTTP API and the dashboard."),
    "shards": ("clickstream.shards:shards", "The stream's shards: list, split, merge, scale."),
    "tail": ("consumers.tail:tail", "De-aggregated events of the stream as NDJSON."),
    "up": ("infra.local.commands:up", "Everything at once on this machine, until Ctrl-C."),
    "worker": ("consumers.runtime.commands:worker", "One application's KCL worker, until SIGTERM."),
}


class LazyGroup(click.Group):
    """Imports a sub-command's module only when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="clickstream", message="%(version)s")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def cli(debug: bool) -> None:
    """An online shop's events through Amazon Kinesis into live answers.

    Environment: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> as in the AWS CLI;
    CLICKSTREAM_NAME names the stream and prefixes every resource (default "clickstream"); NO_COLOR.
    """


def main(argv: Sequence[str] | None = None) -> None:
    """The console script. Never returns."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    debug = "--debug" in arguments
    try:
        code = cli.main(args=arguments, prog_name="clickstream", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (ClickstreamError, BrokenPipeError, KeyboardInterrupt) as error:
        if debug:
            raise
        sys.exit(_explain(error))


def _explain(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, BrokenPipeError):
        # `clickstream tail | head` is no failure; closing stdout's own buffer must not complain either
        sys.stderr.close()
        return 0
    click.echo(f"clickstream: {error}", err=True)
    if isinstance(error, UserMistake) and error.hint:
        click.echo(f"hint: {error.hint}", err=True)
    return 1


if __name__ == "__main__":
    main()
