"""The OpenAPI 3.1 document of the collector, generated from the events' types and from its answers. Pure."""

from collections.abc import Mapping
from importlib import metadata
from typing import Any

import msgspec

from clickstream.events import EVENT_TYPES, SCHEMA_VERSION, AnyEvent
from clickstream.producers.collector.answers import Answer, Problem
from clickstream.producers.collector.bodies import Bounds
from clickstream.producers.collector.reception import MOST_TOLD

Schema = dict[str, Any]
_COMPONENTS = "#/components/schemas/"


class Refusal(msgspec.Struct, frozen=True):
    """Why the request as a whole was not taken; nothing of it was."""

    error: str
    hint: str = ""


_ANSWERS = {
    200: "Kinesis has acknowledged every event",
    207: "Kinesis has the accepted events; the rejected ones never will be taken",
    422: "No document of the request is an event",
}
_REFUSALS = {
    400: "The body cannot be read",
    401: "No API key, or one that is not known",
    403: "A collector without keys serves its own machine alone",
    408: "The body did not come in time",
    413: "The body is too large, or holds too many events",
    415: "A content type or encoding that is not taken",
    429: "Over the rate of the API key; send the same again after Retry-After",
}
_LATER = "The stream, or memory, takes no more now: send what is marked retry again after Retry-After, under its id"
_RETRY_AFTER: Schema = {
    "Retry-After": {"description": "seconds", "required": True, "schema": {"type": "integer", "minimum": 1}}
}


def document(bounds: Bounds) -> bytes:
    (event, answer, refusal, problem, *kinds), components = msgspec.json.schema_components(
        [AnyEvent, Answer, Refusal, Problem, *EVENT_TYPES], ref_template=f"{_COMPONENTS}{{name}}"
    )
    for kind in kinds:  # by reference: the names of a shop's types are its own
        _as_sent(components[kind["$ref"].removeprefix(_COMPONENTS)])
    components[problem["$ref"].removeprefix(_COMPONENTS)]["description"] = f"One of at most {MOST_TOLD} told of an event."
    components["Event"] = {"description": "An event without an event_id, or occurred_at, is given one.", **event}
    one: Schema = {"$ref": f"{_COMPONENTS}Event"}
    described: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "clickstream: collector",
            "version": metadata.version("clickstream"),
            "description": "Takes events; 200 means that Kinesis has them. An event_id counts once, so repeating one is safe.",
        },
        "paths": {"/v1/events": {"post": _post(one, answer, refusal, bounds)}},
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "query": {"type": "apiKey", "in": "query", "name": "key"},
            },
        },
        # the last: a collector on loopback has no keys
        "security": [{"bearer": []}, {"header": []}, {"query": []}, {}],
    }
    return msgspec.json.format(msgspec.json.encode(described))


def _as_sent(kind: Schema) -> None:
    """What a client may leave to the collector, and what it may not send."""
    kind["required"] = [name for name in kind["required"] if name not in ("event_id", "occurred_at")]
    kind["properties"].pop("redriven_for")
    # an older version has other fields; it is taken too, and brought to these
    kind["properties"]["schema_version"] = {"enum": [SCHEMA_VERSION], "default": SCHEMA_VERSION}


def _post(event: Schema, answer: Schema, refusal: Schema, bounds: Bounds) -> Schema:
    return {
        "operationId": "put-events",
        "summary": "One event, or up to a request's bound",
        "parameters": [
            {"name": "Content-Encoding", "in": "header", "schema": {"type": "string", "enum": ["identity", "gzip"]}},
        ],
        "requestBody": {
            "required": True,
            "description": f"At most {bounds.body_bytes:,} bytes as sent, {bounds.inflated_bytes:,} inflated.",
            "content": {
                "application/json": {
                    "schema": {"anyOf": [event, {"type": "array", "items": event, "minItems": 1, "maxItems": bounds.events}]}
                },
                "application/x-ndjson": {"schema": {"type": "string", "description": "one event a line"}},
            },
        },
        "responses": {
            **_responses(_ANSWERS, answer),
            **_responses(_REFUSALS, refusal),
            "503": {**_response(_LATER, {"anyOf": [answer, refusal]}), "headers": _RETRY_AFTER},
        },
    }


def _responses(told: Mapping[int, str], schema: Schema) -> Schema:
    return {
        str(status): _response(description, schema) | ({"headers": _RETRY_AFTER} if status == 429 else {})
        for status, description in told.items()
    }


def _response(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
