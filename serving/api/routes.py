"""The table of operations, and each over HTTP: arguments out of the request, answers as JSON or CSV, conditional requests."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clickstream.answers.reading import Answers
from clickstream.consumers.analytics.views import Aggregates
from clickstream.consumers.dead_letters.views import Look
from clickstream.consumers.fraud.views import Decisions
from clickstream.errors import UserMistake
from clickstream.serving.api import aggregates, explain, fraud, letters, own, progress, recommendations
from clickstream.serving.api.coalescing import Remembered
from clickstream.serving.api.operation import Operation
from clickstream.serving.moments import Clock
from clickstream.serving.progress import ProgressReader
from clickstream.serving.security import OwnPages

MOST_BYTES = 4_096
#: Everything that the JSON API answers, in the order of the OpenAPI document.
OPERATIONS: tuple[Operation, ...] = (
    aggregates.AGGREGATES,
    progress.PROGRESS,
    fraud.DECIDED,
    fraud.ALERTS,
    fraud.DECISION,
    fraud.REVIEW,
    recommendations.OF_VISITOR,
    recommendations.OF_SESSION,
    explain.EXPLAIN,
    letters.LETTERS,
    own.OWN,
)


class Readers(NamedTuple):
    """What answers; without one of them, its operations are not offered."""

    windows: Aggregates
    progress: ProgressReader
    risk: Decisions | None = None
    visitors: recommendations.Visitors | None = None
    searches: explain.Searches | None = None
    letters: Remembered[Look] | None = None
    own: Answers | None = None


def offered(readers: Readers) -> list[Operation]:
    return [operation for operation in OPERATIONS if getattr(readers, operation.reader) is not None]


def json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def routes(operations: Iterable[Operation], readers: Readers, clock: Clock, guard: OwnPages) -> list[Route]:
    return [_route(operation, getattr(readers, operation.reader), clock, guard) for operation in operations]


def _route(operation: Operation, reader: Any, clock: Clock, guard: OwnPages) -> Route:
    async def endpoint(request: Request) -> Response:
        now_ms = clock()
        sent = {}
        if operation.body is not None:
            if refusal := guard.refusal(request.headers):
                raise HTTPException(403, refusal)
            sent = {"sent": _sent(await body(request), operation.body)}
        given = {"query": request.query_params, "path": request.path_params}
        _refuse_unknown(request.query_params, {each.name for each in operation.parameters if each.place == "query"})
        arguments = {each.argument: each.value(given[each.place].get(each.name), now_ms) for each in operation.parameters}
        form, download = arguments.pop("format", "json"), arguments.pop("download", False)
        if inspect.iscoroutinefunction(operation.read):
            answer = await operation.read(reader, request, **arguments)
        else:
            answer = await run_in_threadpool(operation.read, reader, now_ms, **arguments, **sent)
        if answer is None:
            raise HTTPException(404, operation.absent)
        headers = {}
        if operation.caching is not None:
            fresh_s = operation.caching.fresh_s(answer)
            kept = "no-cache" if fresh_s is None else f"max-age={fresh_s}"
            headers = {"ETag": operation.caching.tag(answer), "Cache-Control": f"private, {kept}"}
            if _matches(request.headers.get("If-None-Match", ""), headers["ETag"]):
                return Response(status_code=304, headers=headers)
        if before := getattr(answer, "next", None):
            # a CSV has no other place to say that there is more
            headers["Link"] = f'<?{request.url.include_query_params(before=before).query}>; rel="next"'
        if operation.sheet is not None and (form == "csv" or download):
            file = f"clickstream-{operation.sheet.name.format(**arguments)}.{form}"
            headers["Content-Disposition"] = f'attachment; filename="{file}"'
        if operation.sheet is not None and form == "csv":
            return Response(operation.sheet.render(answer), headers=headers, media_type="text/csv; charset=utf-8")
        found = operation.is_found is None or operation.is_found(answer)
        return json(answer, 200 if found else 404, headers)

    return Route(operation.route, endpoint, methods=["GET" if operation.body is None else "POST"])


async def body(request: Request) -> bytes:
    """At most so much as a form or a small object needs. Raises HTTPException."""
    found = b""
    async for chunk in request.stream():
        found += chunk
        if len(found) > MOST_BYTES:
            raise HTTPException(413, f"more than {MOST_BYTES:,} bytes were sent")
    return found


def _sent(content: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise UserMistake(f"what was sent is not as described: {error}", hint="/v1/openapi.json describes it") from error


def _refuse_unknown(given: QueryParams, known: set[str]) -> None:
    """One that were passed over would be an answer to another question. Raises UserMistake."""
    for name in given:
        if name not in known:
            raise UserMistake(f"no parameter {name[:64]!r}", hint=f"known are: {', '.join(sorted(known)) or 'none'}")
        if len(given.getlist(name)) > 1:
            raise UserMistake(f"the parameter {name} is given twice", hint="say it once")


def _matches(header: str, tag: str) -> bool:
    return any(given.strip().removeprefix("W/") in (tag, "*") for given in header.split(","))
