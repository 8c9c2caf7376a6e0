"""The IAM permissions that a call needs: actions on resources, after AWS's service authorization reference. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from clickstream.infra.local.account import ACCOUNT
from clickstream.infra.local.gate.requests import Request


class Need(NamedTuple):
    """One permission that a call needs."""

    action: str
    resource: str
    """``service:tail``, where the tail is what follows region and account in an ARN; ``*`` for an action without resources."""

    def arn(self, region: str) -> str:
        if self.resource == "*":
            return "*"
        service, _, tail = self.resource.partition(":")
        # a bucket's name is global
        return f"arn:aws:s3:::{tail}" if service == "s3" else f"arn:aws:{service}:{region}:{ACCOUNT}:{tail}"


#: A transaction needs the permissions of its parts.
_IN_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
#: PartiQL's verb and table.
_STATEMENT = re.compile(r'\s*(INSERT|UPDATE|DELETE|SELECT)\b[^"]*"([^"]+)"', re.IGNORECASE)
_S3_ACTIONS = {
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "ListBuckets": "ListAllMyBuckets",
}
#: Allowed to every caller.
_FREE = frozenset({"sts:GetCallerIdentity"})


def needs(request: Request, stream_of: Callable[[Mapping[str, Any]], str] | None = None) -> list[Need]:
    """Every permission that this call needs, each once. ``stream_of`` names the stream behind a Kinesis iterator or token."""
    service, operation, given = request.caller.service, request.operation, request.parameters
    match service:
        case "dynamodb":
            found = list(_dynamodb(operation, given))
        case "s3":
            found = list(_s3(operation, given))
        case "sqs":
            name = given.get("QueueName") or str(given.get("QueueUrl", "")).rsplit("/", 1)[-1]
            found = [Need(f"sqs:{operation.removesuffix('Batch')}", f"sqs:{name}" if name else "*")]
        case "sns":
            name = given.get("Name") or str(given.get("TopicArn", "")).rsplit(":", 1)[-1]
            found = [Need(f"sns:{operation.removesuffix('Batch')}", f"sns:{name}" if name else "*")]
        case "kinesis":
            found = [_kinesis(operation, given, stream_of)]
        case "stepfunctions":
            tail = _tail(given.get("stateMachineArn") or given.get("executionArn") or "")
            found = [Need(f"states:{operation}", f"states:{tail}" if tail else "*")]
        case "lambda":
            name = str(given.get("FunctionName", "")).rsplit(":", 1)[-1]
            action = "InvokeFunction" if operation == "Invoke" else operation
            found = [Need(f"lambda:{action}", f"lambda:function:{name}" if name else "*")]
        case _:
            found = [Need(f"{service}:{operation}", "*")]
    return [need for need in dict.fromkeys(found) if need.action not in _FREE]


def context(request: Request) -> dict[str, str]:
    """The condition keys that this call sets."""
    namespace = request.parameters.get("Namespace") if request.caller.service == "cloudwatch" else None
    return {} if namespace is None else {"cloudwatch:namespace": str(namespace)}


def _dynamodb(operation: str, given: Mapping[str, Any]) -> Iterator[Need]:
    match operation:
        case "TransactWriteItems" | "TransactGetItems":
            for entry in given["TransactItems"]:
                for kind, part in entry.items():
                    yield Need(f"dynamodb:{_IN_TRANSACTION[kind]}", _table(part["TableName"]))
        case "BatchWriteItem" | "BatchGetItem":
            for table in given["RequestItems"]:
                yield Need(f"dynamodb:{operation}", _table(table))
        case "BatchExecuteStatement":
            for statement in given["Statements"]:
                verb, table = _STATEMENT.findall(statement["Statement"])[0]
                yield Need(f"dynamodb:PartiQL{verb.capitalize()}", _table(table))
        case _ if "TableName" in given:
            index = f"/index/{given['IndexName']}" if "IndexName" in given else ""
            yield Need(f"dynamodb:{operation}", _table(given["TableName"]) + index)
        case _:
            yield Need(f"dynamodb:{operation}", "*")


def _table(name_or_arn: str) -> str:
    return f"dynamodb:table/{name_or_arn.rpartition('table/')[2]}"


def _s3(operation: str, given: Mapping[str, Any]) -> Iterator[Need]:
    if operation == "DeleteObjects":
        for each in given["Delete"]["Objects"]:
            yield Need("s3:DeleteObject", f"s3:{given['Bucket']}/{each['Key']}")
        return
    action = f"s3:{_S3_ACTIONS.get(operation, operation)}"
    if "Key" in given:
        yield Need(action, f"s3:{given['Bucket']}/{given['Key']}")
    else:
        yield Need(action, f"s3:{given['Bucket']}" if "Bucket" in given else "*")


def _kinesis(operation: str, given: Mapping[str, Any], stream_of: Callable[[Mapping[str, Any]], str] | None) -> Need:
    for member in ("StreamARN", "ConsumerARN", "ResourceARN"):
        if given.get(member):
            return Need(f"kinesis:{operation}", f"kinesis:{_tail(given[member])}")
    name = given.get("StreamName") or (stream_of(given) if stream_of is not None else "")
    return Need(f"kinesis:{operation}", f"kinesis:stream/{name}" if name else "*")


def _tail(arn: str) -> str:
    """``arn:partition:service:region:account:tail``."""
    return arn.split(":", 5)[-1] if arn.count(":") >= 5 else ""
