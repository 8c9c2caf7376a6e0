"""Structured logs on stderr: one JSON object a line, or readable lines on a terminal. stdout is for data.

No line holds a payload: what clients and events said is named by ids and positions alone.
"""

import logging
import sys

import structlog


def to_stderr(level: str, *, readable: bool | None = None) -> None:
    """Every structlog logger from now on; ``level`` is a name. ``readable`` None asks whether stderr is a terminal.

    Libraries that use Python's own logging come out too, from WARNING on, as the same lines.
    """
    if readable is None:
        readable = sys.stderr.isatty()
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if readable:
        processors.append(structlog.dev.ConsoleRenderer(colors=False))
    else:
        # without the frames' variables, which hold what clients sent
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        processors += [structlog.processors.ExceptionRenderer(frames), structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        # stderr as it is when a line is written: a fork has another, and so has a test
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, _ToStructlog)]:
        root.removeHandler(handler)
    root.addHandler(_ToStructlog(logging.WARNING))


class _ToStructlog(logging.Handler):
    """A library's record as a line of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        say = log.error if record.levelno >= logging.ERROR else log.warning
        say(record.getMessage(), logger=record.name, exc_info=record.exc_info)
