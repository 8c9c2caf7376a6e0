"""Stored recommendations as one would serve them in an afternoon: Starlette, one GetItem per request on its thread pool.

``python -m clickstream.load.benchmarks.recommending.over_http_peer PORT TABLE``
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from clickstream.aws import Clients
from clickstream.settings import from_env


def main(port: int, table: str) -> None:
    # as many connections as Starlette's pool has threads
    dynamodb = Clients(from_env(), connections=40).dynamodb

    def get(user_id: str) -> Any:
        key: Any = {"subject": {"S": f"user#{user_id}"}, "part": {"S": "offer"}}
        return dynamodb.get_item(TableName=table, Key=key).get("Item")

    async def recommendations(request: Request) -> Response:
        item = await run_in_threadpool(get, request.path_params["user_id"])
        if item is None:
            return JSONResponse({"items": []})
        items = msgspec.msgpack.decode(item["items"]["B"])
        document = {
            "user_id": request.path_params["user_id"],
            "items": [{"product_id": item, "score": score, "because": because} for item, score, because in items],
        }
        return Response(json.dumps(document), media_type="application/json")

    async def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    app = Starlette(routes=[Route("/v1/recommendations/{user_id:path}", recommendations), Route("/healthz", healthz)])
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
