"""The JSON API: questions in, answers of ``serving.api.answers`` out, as JSON or as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clickstream.errors import UserMistake
from consumers.analytics.views import complete_to, completeness
from serving.api import spreadsheet
from serving.api.answers import Progress
from serving.api.fraud import Alerts, Risk, alert, decided, decision_answer
from serving.api.periods import granularity, stretch
from serving.api.present import aggregates_json, applications_json, shard_json
from serving.ids import key
from serving.moments import parse_moment
from serving.progress import Fleet
from serving.read_model import Clock, ReadModel

MOST_TOP = 100
MOST_ALERTS = 200
#: Of decisions by the minute: each is one item of a table.
LONGEST_DECIDED_MS = 6 * 3_600_000
_MINUTE_MS = 60_000
T = TypeVar("T")


def json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, "application/json")


class Api:
    """The endpoints' answers; each asks the stores on a thread."""

    def __init__(self, views: ReadModel, fleet: Fleet, clock: Clock, risk: Risk | None) -> None:
        self._views = views
        self._fleet = fleet
        self._clock = clock
        self._risk = risk

    def routes(self) -> list[Route]:
        """Those of a risk team are there when decisions can be read."""
        routes = [Route("/v1/aggregates", self.aggregates), Route("/v1/progress", self.progress)]
        if self._risk is None:
            return routes
        return [
            *routes,
            Route("/v1/fraud/decided", self.decided),
            Route("/v1/fraud/alerts", self.alerts),
            Route("/v1/decisions/{event_id:path}", self.decision),
        ]

    async def aggregates(self, request: Request) -> Response:
        query, now = request.query_params, self._clock()
        kind = granularity(query.get("granularity", "hour"))
        start, end = stretch(kind, _moment(request, "from", now), _moment(request, "to", now), now)
        top = _number(request, "top", 10, MOST_TOP)
        # before the windows: what is said to be complete must be in them
        seen = completeness(await run_in_threadpool(self._views.progress))
        to = complete_to(seen, kind)
        windows = await run_in_threadpool(self._views.windows, kind, start, end, top=top)
        return _told(request, aggregates_json(kind, start, end, windows, to), spreadsheet.aggregates, f"{kind}s")

    async def progress(self, request: Request) -> Response:
        seen = await run_in_threadpool(self._fleet.read, self._clock())
        now = self._clock()
        answer = Progress(
            now=now,
            complete_to=seen.completeness.complete_to,
            lateness_ms=seen.completeness.lateness_ms,
            late_share=seen.completeness.late_share,
            applications=applications_json(seen.rows, seen.speeds),
            progress=[shard_json(row, seen.speeds.get((row.application, row.shard)), now) for row in seen.rows],
        )
        return _told(request, answer, spreadsheet.progress, "progress")

    async def decided(self, request: Request) -> Response:
        assert self._risk is not None
        now = self._clock()
        end = _moment(request, "to", now)
        end = now // _MINUTE_MS * _MINUTE_MS + _MINUTE_MS if end is None else end
        start = _moment(request, "from", now)
        start = end - 60 * _MINUTE_MS if start is None else start
        if not 0 <= end - start <= LONGEST_DECIDED_MS:
            raise UserMistake("`from` is after `to`, or more than 6 hours before it", hint="ask for a shorter time")
        minutes = await run_in_threadpool(self._risk.minutes, start, end)
        return _told(request, decided(minutes, start, end), spreadsheet.decided, "decided")

    async def alerts(self, request: Request) -> Response:
        assert self._risk is not None
        count = _number(request, "count", 50, MOST_ALERTS)
        found = await run_in_threadpool(self._risk.alerts, most=count)
        return _told(request, Alerts(alerts=[alert(decision) for decision in found]), spreadsheet.alerts, "alerts")

    async def decision(self, request: Request) -> Response:
        assert self._risk is not None
        event_id = key(request.path_params["event_id"], "event id")
        found = await run_in_threadpool(self._risk.of, event_id)
        if found is None:
            raise HTTPException(404, "there is no decision on that event (yet); only purchases are decided on")
        return json(decision_answer(found, await run_in_threadpool(self._risk.others, event_id)))


def _told(request: Request, answer: T, as_table: Callable[[T], bytes], name: str) -> Response:
    """As asked for: ``?format=json`` or ``csv``. Either can be kept as a file (``?download=1``)."""
    form = request.query_params.get("format", "json")
    headers = {}
    if form == "csv" or request.query_params.get("download"):
        headers["Content-Disposition"] = f'attachment; filename="clickstream-{name}.{form}"'
    if form == "json":
        return json(answer, headers=headers)
    if form == "csv":
        return Response(as_table(answer), headers=headers, media_type="text/csv; charset=utf-8")
    raise UserMistake(f"no format {form!r}", hint="json or csv")


def _moment(request: Request, name: str, now: int) -> int | None:
    given = request.query_params.get(name)
    return None if given is None else parse_moment(given, now)


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise UserMistake(f"bad {name} {text!r}", hint=f"a number from 1 to {most}")
    return int(text)
