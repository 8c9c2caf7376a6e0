"""The ``clickstream`` command: a table of lazily imported sub-commands, and the manners they share.

Data goes to stdout, progress and logs to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some input was
rejected, 130 interrupted. A failure a person can cause is one line and a hint; ``--debug`` adds the traceback.
"""

import errno
import importlib
import io
import os
import re
import sys
from collections.abc import Sequence

import click

#: name → (the module that has it by this name, one line of help). The text stands here so that ``--help`` imports nothing.
COMMANDS: dict[str, tuple[str, str]] = {
    "applications": ("clickstream.serving.applications", "The applications that ran here: list, retire."),
    "archive": ("clickstream.consumers.archive.commands", "The archive's Parquet files: compact them."),
    "collect": (
        "clickstream.producers.collector.commands",
        "The HTTP collector: POST /v1/events, answered when Kinesis has it.",
    ),
    "dlq": ("clickstream.consumers.dead_letters.commands", "Rejected records: list, show, redrive."),
    "explain": ("clickstream.serving.explain", "One event's whole life: put, processed, decided, dead-lettered."),
    "load": ("clickstream.load.commands", "Generate traffic, replay a file, verify the answers."),
    "local": ("clickstream.infra.local.commands", "The embedded AWS alone: start, stop, status."),
    "models": ("clickstream.models.commands", "Train, evaluate, promote and roll back models."),
    "new": ("clickstream.new.commands", "Begin an application of your own: write a repository that runs."),
    "orders": ("clickstream.consumers.orders.commands", "Orders and the inventory: show, cancel, stock."),
    "produce": ("clickstream.producers.commands", "Put NDJSON events from a file or stdin on the stream."),
    "query": ("clickstream.serving.query", "Ask for aggregates, decisions, recommendations, answers of your own, or in SQL."),
    "report": ("clickstream.serving.report.commands", "A stretch of time as a page to send around, or as CSV."),
    "schema": ("clickstream.schemas.commands", "Print or check the events' JSON Schemas."),
    "serve": ("clickstream.serving.commands", "The HTTP API and the dashboard."),
    "shards": ("clickstream.operating.commands", "The stream's shards: list, split, merge, scale, advise."),
    "simulate": ("clickstream.load.simulation.command", "Run an application in thousands of simulated fleets, under faults."),
    "tail": ("clickstream.consumers.looking.tail", "Events of the stream as NDJSON, whatever records they travel in."),
    "up": ("clickstream.infra.local.commands", "Everything at once on this machine, until Ctrl-C."),
    "worker": ("clickstream.consumers.runtime.worker.commands", "One application's KCL worker, until SIGTERM."),
}


class LazyGroup(click.Group):
    """Imports a sub-command's module only when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)
        return whole_sentence(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


def whole_sentence(command: click.Command) -> click.Command:
    """A group lists its commands with their first sentences; click would cut them at the column where the line ends."""
    if command.short_help is None and command.help:
        paragraph = " ".join(command.help.split("\n\n")[0].split())
        command.short_help = re.split(r"(?<=[.!?])\s", paragraph, maxsplit=1)[0]
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        whole_sentence(each)
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="clickstream", message="%(version)s")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails; may also stand last.")
def cli(debug: bool) -> None:
    """An online shop's events through Amazon Kinesis into live answers.

    Data comes on stdout, progress and logs on stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but for some
    input that was rejected, 130 interrupted.

    \b
    Environment:
      AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE> …   as in the AWS CLI, and so are its config files
      CLICKSTREAM_NAME           the stream's name and every resource's prefix (clickstream)
      CLICKSTREAM_APPLICATIONS   modules with applications of your own, separated by commas
      CLICKSTREAM_EVENTS         a folder of JSON Schemas of your own events
                                 (installed packages that declare theirs need neither of the two)
      CLICKSTREAM_LOG_LEVEL      DEBUG, INFO, WARNING (the default) or ERROR
      CLICKSTREAM_LOCAL_DIR      the folder of the embedded AWS: its logs and its state (.local)
      NO_COLOR                   any value: no colours

    \b
    Completion of commands and options by the Tab key:
      eval "$(_CLICKSTREAM_COMPLETE=bash_source clickstream)"     or zsh_source, fish_source

    \b
    Example:
      eval "$(clickstream local start)"
      clickstream load run --duration 10
      clickstream tail --limit 10
    """


def main(argv: Sequence[str] | None = None) -> None:
    """The console script. Never returns."""
    closed, out = _stand_in_for_closed(), sys.stdout
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
        _drop_output()
        sys.exit(0)
    except SystemExit as end:
        # click wraps stdout and says 1 when a reader has gone; `clickstream tail | head` is no failure
        sys.exit(end.code if sys.stdout is out else 0)
    except Exception as error:
        if debug:
            raise
        from clickstream.failures.explaining import Explanation, explain  # only who fails pays
        from clickstream.terminal import shown

        explanation = explain(error)
        if closed and isinstance(error, OSError) and error.errno == errno.EBADF:
            explanation = Explanation(f"{' and '.join(closed)} is closed", "give it a file, a pipe or /dev/null")
        click.echo(f"clickstream: {shown(explanation.message)}", err=True)
        if explanation.hint:
            click.echo(f"hint: {explanation.hint}", err=True)
        _drop_output()
        sys.exit(1)


def _stand_in_for_closed() -> list[str]:
    """Open what the shell has closed (``>&-``), so that no other file takes its number; returns which of stdin and stdout.

    Whoever reads or writes those two is refused (EBADF). What would go to a closed stderr is dropped: the exit code tells.
    """
    closed = []
    for number, (name, way) in enumerate((("stdin", os.O_WRONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY))):
        if getattr(sys, name) is None:
            if (opened := os.open(os.devnull, way)) != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
            closed += [name] if number < 2 else []
    return closed


def _drop_output() -> None:
    """What stdout has not taken it never will: the interpreter must not try it again, and fail, at its end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def _take_debug(given: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether --debug is there, and the other arguments. People add it to a command that has failed, so any place will do."""
    end = list(given).index("--") if "--" in given else len(given)
    options = [argument for argument in given[:end] if argument != "--debug"]
    return len(options) < end, [*options, *given[end:]]


if __name__ == "__main__":
    main()
