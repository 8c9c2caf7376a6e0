"""``GET /v1/own/…``: the answers of a shop's own applications, for API, page and ``clickstream query own``."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from clickstream.answers.declared import Table
from clickstream.answers.reading import Answer, Answers
from clickstream.errors import UserMistake
from clickstream.serving.api.operation import FROM, TO, Moment, Operation, Parameter, Sheet, count, key, table
from clickstream.serving.moments import iso

#: Windows in the answer to a question that names no start, the one that holds its end included.
SPAN = 24
MOST_ROWS = 10_000


class OwnRow(msgspec.Struct, frozen=True, kw_only=True):
    """One key in one window of event time."""

    start: Annotated[Moment | None, Meta(description="null in a table without windows")]
    end: Moment | None
    complete: Annotated[bool, Meta(description="all that arrives within the usual lateness is counted; timers may still add")]
    key: str
    values: Annotated[
        dict[str, Any],
        Meta(description="by cell: a number or null, {quantile: number}, or [{key, count, most}]"),
    ]


class OwnAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one table of an own application."""

    application: str
    table: str
    cells: list[str]
    complete_to: Annotated[Moment | None, Meta(description="windows that end by then are complete; null when not known")]
    rows: Annotated[list[OwnRow], Meta(description="the newest window first, then by key; or as `order` says")]


def own_row(declared: Table, answer: Answer, complete_to_ms: int | None) -> OwnRow:
    end_ms = answer.start_ms + declared.per if declared.per else None
    return OwnRow(
        start=answer.start_ms if declared.per else None,
        end=end_ms,
        complete=end_ms is not None and complete_to_ms is not None and end_ms <= complete_to_ms,
        key=answer.key,
        values=answer.values,
    )


def read(
    answers: Answers, now_ms: int, *, application: str, table: str, start: int | None, end: int | None, **asked: Any
) -> OwnAnswers:
    declared = answers.table(application, table)
    end_ms = now_ms + 1 if end is None else end
    start_ms = max(0, end_ms - 1 - (SPAN - 1) * declared.per) if start is None else start
    if start_ms > end_ms:
        raise UserMistake("`from` is after `to`", hint="both are event times; `to` is exclusive")
    # before the rows: what is reported as complete must be in them
    complete_to_ms = answers.complete_to(application)
    found = answers.rows(application, table, start_ms, end_ms, **asked)
    return OwnAnswers(
        application=application,
        table=table,
        cells=list(declared.cells),
        complete_to=complete_to_ms,
        rows=[own_row(declared, each, complete_to_ms) for each in found],
    )


def in_words(value: Any) -> Any:
    """A cell's value for a sheet or a terminal: a single one as it is, rankings and quantiles with marks between."""
    match value:
        case list():
            return "; ".join(f"{each['key']} {_count(**each)}" for each in value)
        case dict():
            return "; ".join(f"p{100 * float(at):g} {number:.4g}" for at, number in value.items())
    return value


def _count(*, count: int, most: int, **_: str) -> str:
    return str(count) if count == most else f"{count} to {most}"


def sheet(answer: OwnAnswers) -> bytes:
    rows = (
        ["" if at is None else iso(at) for at in (each.start, each.end)]
        + [each.complete, each.key]
        + [in_words(each.values[name]) for name in answer.cells]
        for each in answer.rows
    )
    return table(["start", "end", "complete", "key", *answer.cells], rows)


KEY = Parameter("key", "key", "of one key alone", {"type": "string"}, lambda text, _: text)
ORDER = Parameter(
    "order", "order", "a cell with numbers, the greatest first; else the newest window first", KEY.schema, KEY.parse
)
LIMIT = count("limit", 100, MOST_ROWS, "at most so many rows")
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
        KEY,
        ORDER,
        LIMIT,
    ),
    Sheet("{application}-{table}", sheet),
)
