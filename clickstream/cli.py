"""The ``clickstream`` command: a table of lazily imported sub-commands, and the manners they share.

Data goes to stdout, progress and logs to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some input was
rejected, 130 interrupted. A failure a person can cause is one line and a hint; ``--debug`` adds the traceback.
"""

import importlib
import io
import re
import sys
from collections.abc import Sequence

import click

#: name → (module:attribute, one line of help). The text stands here so that ``--help`` imports nothing.
COMMANDS: dict[str, tuple[str, str]] = {
    "archive": ("clickstream.consumers.archive.commands:archive", "The archive's Parquet files: compact them."),
    "collect": (
        "clickstream.producers.collector.commands:collect",
        "The HTTP collector: POST /v1/events, answered when Kinesis has it.",
    ),
    "dlq": ("clickstream.consumers.dead_letters.commands:dlq", "Rejected records: list, show, redrive."),
    "explain": ("clickstream.serving.explain:explain", "One event's whole life: put, processed, decided, dead-lettered."),
    "load": ("clickstream.load.commands:load", "Generate traffic, replay a file, verify the answers."),
    "local": ("clickstream.infra.local.commands:local", "The embedded AWS alone: start, stop, status."),
    "models": ("clickstream.models.commands:models", "Train, evaluate, promote and roll back models."),
    "new": ("clickstream.new.commands:new", "The beginning of an application of your own, as a repository that runs."),
    "orders": ("clickstream.consumers.orders.commands:orders", "Orders and the inventory: show, cancel, stock."),
    "produce": ("clickstream.producers.commands:produce", "Put NDJSON events from a file or stdin on the stream."),
    "query": ("clickstream.serving.query:query", "Ask for aggregates, decisions, recommendations, or in SQL."),
    "report": ("clickstream.serving.report.commands:report", "A stretch of time as a page to send around, or as CSV."),
    "schema": ("clickstream.schemas.commands:schema", "Print or check the events' JSON Schemas."),
    "serve": ("clickstream.serving.commands:serve", "The HTTP API and the dashboard."),
    "shards": ("clickstream.operating.commands:shards", "The stream's shards: list, split, merge, scale."),
    "simulate": (
        "clickstream.load.simulation.command:simulate",
        "An application in thousands of simulated fleets, under faults.",
    ),
    "tail": ("clickstream.consumers.looking.tail:tail", "Events of the stream as NDJSON, whatever records they travel in."),
    "up": ("clickstream.infra.local.commands:up", "Everything at once on this machine, until Ctrl-C."),
    "worker": ("clickstream.consumers.runtime.worker.commands:worker", "One application's KCL worker, until SIGTERM."),
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
        _keep_whole_sentences(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


def _keep_whole_sentences(command: click.Command) -> None:
    """A group lists its commands with their first sentences; click would cut them at the column where the line ends."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            if each.short_help is None and each.help:
                paragraph = " ".join(each.help.split("\n\n")[0].split())
                each.short_help = re.split(r"(?<=[.!?])\s", paragraph, maxsplit=1)[0]
            _keep_whole_sentences(each)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="clickstream", message="%(version)s")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails; may also stand last.")
def cli(debug: bool) -> None:
    """An online shop's events through Amazon Kinesis into live answers.

    Data comes on stdout, progress and logs on stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but for some
    input that was rejected, 130 interrupted.

    \b
    Environment:
      AWS_PROFILE, AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE>   as in the AWS CLI
      CLICKSTREAM_NAME        the stream's name and every resource's prefix (clickstream)
      CLICKSTREAM_APPLICATIONS   modules with applications of your own, separated by commas
      CLICKSTREAM_EVENTS      a folder of JSON Schemas of your own events; what is installed needs neither
      CLICKSTREAM_LOG_LEVEL   DEBUG, INFO, WARNING (the default) or ERROR
      CLICKSTREAM_LOCAL_DIR   where the embedded AWS keeps itself (.local)
      NO_COLOR                any value: no colours

    \b
    Completion of commands and options by the Tab key:
      eval "$(_CLICKSTREAM_COMPLETE=bash_source clickstream)"     or zsh_source, fish_source

    \b
    Example:
      eval "$(clickstream local start)"
      clickstream produce events.ndjson
      clickstream tail --limit 10
    """


def main(argv: Sequence[str] | None = None) -> None:
    """The console script. Never returns."""
    debug, arguments = _take_debug(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # an encoding without our arrows shows a "?" for each
            stream.reconfigure(errors="replace")
    try:
        code = cli.main(args=arguments, prog_name="clickstream", standalone_mode=False)
        sys.stdout.flush()  # a reader that has gone is met here, and not when the interpreter ends
        sys.exit(code if isinstance(code, int) else 0)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # `clickstream tail | head` is no failure; closing stdout's own buffer must not complain either
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        from clickstream.failures.explaining import explain  # only who fails pays
        from clickstream.terminal import shown

        explanation = explain(error)
        click.echo(f"clickstream: {shown(explanation.message)}", err=True)
        if explanation.hint:
            click.echo(f"hint: {explanation.hint}", err=True)
        sys.exit(1)


def _take_debug(given: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether --debug is there, and the other arguments. People add it to a command that has failed, so any place will do."""
    end = list(given).index("--") if "--" in given else len(given)
    options = [argument for argument in given[:end] if argument != "--debug"]
    return len(options) < end, [*options, *given[end:]]


if __name__ == "__main__":
    main()
