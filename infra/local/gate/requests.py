"""What one HTTP request to an AWS endpoint asks for: service, operation, parameters. Pure.

Parameters are spelled as a boto3 client spells them, as far as limits and permissions read them.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, unquote

from clickstream.infra.local.limits.refusal import Refusal

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
#: Names in a signature's scope that differ from boto3's.
_BOTO3_NAMES = {"states": "stepfunctions", "monitoring": "cloudwatch"}
#: Services whose bodies are read; for any other service the request's head is enough.
_READ = frozenset({"dynamodb", "sqs", "sns", "stepfunctions", "cloudwatch"})
_OBJECT_OPERATIONS = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "POST": "PutObject",
    "DELETE": "DeleteObject",
}
_BUCKET_OPERATIONS = {"GET": "ListObjectsV2", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}
_FUNCTION = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")


class Caller(NamedTuple):
    """Who signed a request, and for what."""

    access_key: str
    region: str
    service: str
    """boto3's name."""


class Request(NamedTuple):
    """One call of an AWS API."""

    caller: Caller
    operation: str
    parameters: Mapping[str, Any]


def caller(authorization: str) -> Caller | None:
    """From the ``Authorization`` header; None for a request that is not signed."""
    found = _SCOPE.search(authorization)
    return found and Caller(found[1], found[2], _BOTO3_NAMES.get(found[3], found[3]))


def needs_body(service: str, method: str, query: str) -> bool:
    """Whether :func:`parse` must be given the request's body."""
    return service in _READ or (service == "s3" and method == "POST" and _names(query, "delete")) or service == "lambda"


def parse(who: Caller, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Request | Refusal:
    """The call, or AWS's answer to a body that cannot be read. Header names are in lower case."""
    match who.service:
        case "s3":
            return _s3(who, method, path, query, body)
        case "lambda":
            return _lambda(who, method, path, headers, body)
        case "sns":
            return _sns(who, body)
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if who.service not in _READ or not operation:
        return Request(who, operation or method, {})
    try:
        parameters = json.loads(gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body or b"{}")
    except (ValueError, OSError, RecursionError):
        return Refusal("SerializationException", "The request body is no JSON.")
    return Request(who, operation, parameters)


def _names(query: str, parameter: str) -> bool:
    return parameter in parse_qs(query, keep_blank_values=True)


def _s3(who: Caller, method: str, path: str, query: str, body: bytes) -> Request:
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    if method == "POST" and _names(query, "delete"):
        keys = [
            {"Key": _unescaped(each)} for each in re.findall(r"<Key>(.*?)</Key>", body.decode("utf-8", "replace"), re.DOTALL)
        ]
        return Request(who, "DeleteObjects", {"Bucket": bucket, "Delete": {"Objects": keys}})
    if not bucket:
        return Request(who, "ListBuckets", {})
    if not key:
        return Request(who, _BUCKET_OPERATIONS.get(method, method), {"Bucket": bucket})
    return Request(who, _OBJECT_OPERATIONS.get(method, method), {"Bucket": bucket, "Key": key})


def _unescaped(text: str) -> str:
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text


def _lambda(who: Caller, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Request:
    found = _FUNCTION.fullmatch(unquote(path))
    if found is None or method != "POST":
        return Request(who, method, {})
    kind = headers.get("x-amz-invocation-type", "RequestResponse")
    return Request(who, "Invoke", {"FunctionName": found[1], "InvocationType": kind, "Payload": body})


_ATTRIBUTE = re.compile(r"MessageAttributes\.entry\.(\d+)\.(Name|Value\.(?:DataType|StringValue|BinaryValue))")
_ENTRY = re.compile(r"PublishBatchRequestEntries\.member\.(\d+)\.(.+)")


def _sns(who: Caller, body: bytes) -> Request:
    try:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
    except UnicodeDecodeError:
        form = {}
    operation = form.pop("Action", "")
    if operation == "PublishBatch":
        entries: dict[int, dict[str, str]] = {}
        for name, value in form.items():
            if found := _ENTRY.fullmatch(name):
                entries.setdefault(int(found[1]), {})[found[2]] = value
        batch = [_with_attributes(entries[number]) for number in sorted(entries)]
        return Request(who, operation, {"TopicArn": form.get("TopicArn", ""), "PublishBatchRequestEntries": batch})
    return Request(who, operation, _with_attributes(form))


def _with_attributes(form: Mapping[str, str]) -> dict[str, Any]:
    """The form's members, its numbered attributes gathered under their names."""
    numbered: dict[str, dict[str, str]] = {}
    rest: dict[str, Any] = {}
    for name, value in form.items():
        if found := _ATTRIBUTE.fullmatch(name):
            numbered.setdefault(found[1], {})[found[2].removeprefix("Value.")] = value
        else:
            rest[name] = value
    if numbered:
        rest["MessageAttributes"] = {each.pop("Name", ""): each for each in numbered.values()}
    return rest
