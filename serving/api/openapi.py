"""The OpenAPI 3.1 document of the JSON API, out of the table of operations and the types of their answers. Pure."""

from collections.abc import Sequence
from importlib import metadata

import msgspec

from clickstream.serving.api.operation import Operation, Problem, Schema

_STATUSES = {
    "400": "The question cannot be answered; the hint says how to ask",
    "401": "A login is needed",
    "403": "It does not come from this server's own page",
    "404": "There is none",
    "503": "A store does not answer; Retry-After says when to ask again",
}


def document(operations: Sequence[Operation], *, with_login: bool) -> bytes:
    """Of the operations that are offered."""
    sent = [operation.body for operation in operations if operation.body is not None]
    (problem, *answers), components = msgspec.json.schema_components(
        [Problem, *(operation.answer for operation in operations), *sent], ref_template="#/components/schemas/{name}"
    )
    described: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "clickstream: read API",
            "version": metadata.version("clickstream"),
            "description": "What the shop's stream says, live. Money is in minor units; times are ms since the epoch, UTC.",
        },
        "paths": {
            operation.path: {"get" if operation.body is None else "post": _operation(operation, answer, problem, with_login)}
            for operation, answer in zip(operations, answers, strict=False)
        },
        "components": {"schemas": components},
    }
    if with_login:
        described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        described["security"] = [{"token": []}]
    return msgspec.json.format(msgspec.json.encode(described))


def _operation(operation: Operation, answer: Schema, problem: Schema, with_login: bool) -> Schema:
    content: Schema = {"application/json": {"schema": answer}}
    if operation.sheet is not None:
        content["text/csv"] = {"schema": {"type": "string"}}
    refusals = {"400": problem, "503": problem}
    if with_login:
        refusals["401"] = problem
    if operation.body is not None:
        refusals["403"] = problem
    if operation.absent or operation.is_found is not None:
        refusals["404"] = problem if operation.is_found is None else answer
    described: Schema = {
        "operationId": operation.path.removeprefix("/v1/").replace("/{", "-by-").replace("}", "").replace("/", "-"),
        "summary": operation.summary,
        "parameters": [
            {"in": each.place, **{name: getattr(each, name) for name in ("name", "required", "description", "schema")}}
            for each in operation.parameters
        ],
        "responses": {
            "200": {"description": "The answer", "content": content},
            **{
                status: {"description": _STATUSES[status], "content": {"application/json": {"schema": schema}}}
                for status, schema in sorted(refusals.items())
            },
        },
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{operation.body.__name__}"}}},
        }
    return described
