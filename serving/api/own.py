"""``GET /v1/own/…``: the answers of a shop's own applications, for API, page and ``clickstream query own``."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from clickstream.answers.reading import Answers, Row
from clickstream.errors import UserMistake
from clickstream.progress.shards_table import ShardProgress
from clickstream.serving.api.operation import FROM, TO, Moment, Operation, Sheet, count, key, text
from clickstream.serving.moments import iso

#: Windows in the answer to a question that names no start, the one that holds its end included.
SPAN = 24


class OwnAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one table of an own application."""

    application: str
    table: str
    cells: list[str]
    complete_to: Annotated[Moment | None, Meta(description="windows that end by then are complete, but for timers")] = None
    rows: Annotated[list[Row], Meta(description="the newest window first; or as `order` says")] = []


def read(
    answers: Answers,
    now_ms: int,
    *,
    application: str,
    table: str,
    start: int | None,
    end: int | None,
    shards: Sequence[ShardProgress] | None = None,
    **asked: Any,
) -> OwnAnswers:
    declared = answers.table(application, table)
    end_ms = now_ms + 1 if end is None else end
    start_ms = max(0, end_ms - 1 - (SPAN - 1) * declared.per) if start is None else start
    if start_ms > end_ms:
        raise UserMistake("`from` is after `to`", hint="both are event times; `to` is exclusive")
    return OwnAnswers(
        application=application,
        table=table,
        cells=list(declared.cells),
        # before the rows: what is reported as complete must be in them
        complete_to=answers.complete_to(application, shards),
        rows=answers.rows(application, table, start_ms, end_ms, **asked),
    )


def rows(answer: OwnAnswers) -> Iterator[list[Any]]:
    """For a sheet or a terminal, the names of the columns first."""
    yield ["start", "end", "key", *answer.cells]
    for row in answer.rows:
        times = ["" if at is None else iso(at) for at in (row.start, row.end)]
        yield [*times, row.key, *(_in_words(row.values[name]) for name in answer.cells)]


def _in_words(value: Any) -> Any:
    if isinstance(value, list):
        bounded = ((each["key"], each["count"], each["most"]) for each in value)
        return "; ".join(f"{name} {least}" if least == most else f"{name} {least} to {most}" for name, least, most in bounded)
    return "; ".join(f"{at}: {number:.4g}" for at, number in value.items()) if isinstance(value, dict) else value


OWN = Operation(
    "/v1/own/{application}/{table}",
    "Answers of an application of the shop's own",
    "own",
    OwnAnswers,
    read,
    (
        key("application", "application", "its name", place="path"),
        key("table", "table", "a table that it declares", place="path"),
        FROM,
        TO,
        text("key", "of one key alone"),
        text("order", "a cell with numbers, the greatest first; else the newest window first"),
        count("limit", 100, 10_000, "at most so many rows"),
    ),
    Sheet("{application}-{table}", rows),
)
