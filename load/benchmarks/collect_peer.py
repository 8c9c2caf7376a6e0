"""The collector as one would write it in an afternoon: Starlette, plain checks, one put_record per event. ``… PORT STREAM``."""

from __future__ import annotations

import json
import sys
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from clickstream.aws import Clients
from clickstream.settings import from_env

_TEXT = ("event_id", "user_id", "session_id")
_TYPES = {"page_view", "product_view", "search", "add_to_cart", "remove_from_cart", "purchase", "login"}


def _wrong(event: Any) -> str | None:
    if not isinstance(event, dict):
        return "not an object"
    if event.get("type") not in _TYPES:
        return "unknown type"
    for name in _TEXT:
        if not isinstance(event.get(name), str) or not 0 < len(event[name]) <= 256:
            return f"bad {name}"
    if not isinstance(event.get("occurred_at"), int) or event["occurred_at"] < 0:
        return "bad occurred_at"
    return None


def main(port: int, stream: str) -> None:
    # as many connections as Starlette's pool has threads
    kinesis = Clients(from_env(), connections=40).kinesis

    def put(events: list[dict[str, Any]]) -> None:
        for event in events:
            kinesis.put_record(StreamName=stream, PartitionKey=event["user_id"], Data=json.dumps(event).encode())

    async def collect(request: Request) -> JSONResponse:
        events = json.loads(await request.body())
        events = events if isinstance(events, list) else [events]
        errors = [_wrong(event) for event in events]
        await run_in_threadpool(put, [event for event, error in zip(events, errors, strict=True) if error is None])
        answers = [{"event_id": event.get("event_id"), "error": error} for event, error in zip(events, errors, strict=True)]
        return JSONResponse({"events": answers})

    async def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    app = Starlette(routes=[Route("/v1/events", collect, methods=["POST"]), Route("/healthz", healthz)])
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
