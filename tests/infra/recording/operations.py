"""What one HTTP request to AWS asks for, in IAM's words: actions on resources. Pure.

The table is written from AWS's service authorization reference, not from ours: it must not know what our policies say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec


class Call(msgspec.Struct, frozen=True, order=True):
    """One permission that a program needed. ``resource`` is ``service:tail`` of an ARN."""

    action: str
    resource: str


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came over the wire; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


_SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/[^/]+/([^/]+)/aws4_request")
#: A batch, and a transaction, ask for what they are made of.
_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
_SAME_ACTION = {"SendMessageBatch": "SendMessage", "DeleteMessageBatch": "DeleteMessage", "PublishBatch": "Publish"}


def signer(request: Request) -> tuple[str, str]:
    """(access key, service) of a signed request."""
    found = _SCOPE.search(request.headers.get("authorization", ""))
    assert found is not None, f"not signed: {request.method} {request.target}"
    return found[1], found[2]


def calls(service: str, request: Request, stream: str) -> set[Call]:
    """The permissions that this request needs; ``stream`` is the one stream there is (an iterator does not name it)."""
    match service:
        case "dynamodb":
            return set(_dynamodb(_operation(request), msgspec.json.decode(request.body)))
        case "kinesis":
            return {Call(f"kinesis:{_operation(request)}", f"kinesis:stream/{stream}")}
        case "s3":
            return set(_s3(request))
        case "sqs":
            body = msgspec.json.decode(request.body)
            name = body.get("QueueName") or str(body["QueueUrl"]).rsplit("/", 1)[-1]
            return {Call(f"sqs:{_action(_operation(request))}", f"sqs:{name}")}
        case "sns":
            form = parse_qs(request.body.decode())
            name = form["Name"][0] if "Name" in form else form["TopicArn"][0].rsplit(":", 1)[-1]
            return {Call(f"sns:{_action(form['Action'][0])}", f"sns:{name}")}
        case "monitoring":
            return {Call(f"cloudwatch:{_operation(request)}", "*")}
        case "states":
            body = msgspec.json.decode(request.body)
            name = str(body["stateMachineArn"]).rsplit(":", 1)[-1]
            return {Call(f"states:{_operation(request)}", f"states:stateMachine:{name}")}
    raise AssertionError(f"no program is known to call {service}")


def _operation(request: Request) -> str:
    return request.headers["x-amz-target"].rsplit(".", 1)[-1]


def _action(operation: str) -> str:
    return _SAME_ACTION.get(operation, operation)


def _dynamodb(operation: str, body: dict[str, object]) -> Iterator[Call]:
    match operation:
        case "TransactWriteItems" | "TransactGetItems":
            entries: Iterable[dict[str, dict[str, object]]] = body["TransactItems"]  # type: ignore[assignment]  # by AWS's model
            for entry in entries:
                for kind, write in entry.items():
                    yield Call(f"dynamodb:{_TRANSACTION[kind]}", f"dynamodb:table/{write['TableName']}")
        case "BatchWriteItem" | "BatchGetItem":
            for table in body["RequestItems"]:  # type: ignore[attr-defined]  # by AWS's model
                yield Call(f"dynamodb:{operation}", f"dynamodb:table/{table}")
        case "BatchExecuteStatement":
            for each in body["Statements"]:  # type: ignore[attr-defined]  # by AWS's model
                words = each["Statement"].replace("INTO ", "").split('"')
                yield Call(f"dynamodb:PartiQL{words[0].strip().capitalize()}", f"dynamodb:table/{words[1]}")
        case _:
            index = f"/index/{body['IndexName']}" if "IndexName" in body else ""
            yield Call(f"dynamodb:{operation}", f"dynamodb:table/{body['TableName']}{index}")


def _s3(request: Request) -> Iterator[Call]:
    parts = urlsplit(request.target)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    query = parse_qs(parts.query, keep_blank_values=True)
    if "delete" in query:
        for name in re.findall(rb"<Key>(.*?)</Key>", request.body):
            yield Call("s3:DeleteObject", f"s3:{bucket}/{name.decode()}")
    elif not key:
        yield Call("s3:ListBucket", f"s3:{bucket}")
    else:
        action = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject", "DELETE": "DeleteObject"}
        yield Call(f"s3:{action[request.method]}", f"s3:{bucket}/{key}")


def generalised(call: Call, name: str) -> Call:
    """The same for any deployment and any day: our prefix as ``{name}``, the varying part of an object's key as ``*``."""
    resource = call.resource
    if call.action.startswith("s3:") and "/" in resource:
        bucket, key = resource.split("/", 1)
        first, *rest = key.split("/")
        if re.match(r"date=\d", first):
            key = "date=*"
        elif first in ("models", "dead-letters"):
            key = f"{first}/{rest[0]}/*"
        else:
            key = f"{first}/*"
        resource = f"{bucket}/{key}"
    return Call(call.action, resource.replace(name, "{name}"))
