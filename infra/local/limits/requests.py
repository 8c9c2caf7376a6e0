"""AWS's documented limits: a request in, None or AWS's own refusal out.

Requests are given as to a boto3 client: the service's boto3 name, the operation as in the API (``PutItem``), and the client's
keyword arguments. The simulator's stores call :func:`refusal` with their own arguments; the gate parses HTTP requests into the
same form.

Kinesis is not here: :mod:`infra.local.kinesis` is a model of the service and refuses by itself, in the simulator too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clickstream.infra.local.limits import constraints, dynamodb, messages
from clickstream.infra.local.limits.dynamodb import Keys
from clickstream.infra.local.limits.refusal import Refusal
from clickstream.infra.local.limits.units import KIB, MIB, utf8_bytes

S3_KEY_BYTES = 1024
LAMBDA_SYNC_BYTES = 6 * MIB
#: 256 KB until October 2025.
LAMBDA_ASYNC_BYTES = MIB
STATES_INPUT_BYTES = 256 * KIB
STATES_NAME_CHARACTERS = 80

_STATES_NAME_ILLEGAL = re.compile(r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]")


def no_keys(_table: str) -> tuple[str, ...]:
    """For callers that know no table's keys: key sizes are not judged then."""
    return ()


def refusal(service: str, operation: str, parameters: Mapping[str, Any], keys: Keys = no_keys) -> Refusal | None:
    """AWS's answer to a request beyond a limit, or None. ``keys``: table name → key attributes, the partition key first."""
    match service:
        case "dynamodb":
            return dynamodb.refusal(operation, parameters, keys)
        case "sns":
            return messages.sns_refusal(operation, parameters)
        case "sqs":
            return messages.sqs_refusal(operation, parameters)
        case "s3":
            return _s3(parameters)
        case "lambda":
            return _lambda(operation, parameters)
        case "stepfunctions":
            return _states(operation, parameters)
    return None


def _s3(parameters: Mapping[str, Any]) -> Refusal | None:
    key = parameters.get("Key")
    return Refusal("KeyTooLongError", "Your key is too long") if key is not None and utf8_bytes(key) > S3_KEY_BYTES else None


def _lambda(operation: str, parameters: Mapping[str, Any]) -> Refusal | None:
    if operation != "Invoke":
        return None
    most = LAMBDA_ASYNC_BYTES if parameters.get("InvocationType") == "Event" else LAMBDA_SYNC_BYTES
    if utf8_bytes(parameters.get("Payload", b"")) <= most:
        return None
    return Refusal(
        "RequestTooLargeException", f"Request must be smaller than {most} bytes for the InvokeFunction operation", 413
    )


def _states(operation: str, parameters: Mapping[str, Any]) -> Refusal | None:
    if operation not in ("StartExecution", "StartSyncExecution"):
        return None
    given = parameters.get("input", "{}").encode("utf-8", "surrogatepass")
    refused = constraints.refusal(constraints.length("input", given, 0, STATES_INPUT_BYTES, shown=""))
    if refused is not None:
        return refused
    name = parameters.get("name")
    if name is not None and (not 1 <= len(name) <= STATES_NAME_CHARACTERS or _STATES_NAME_ILLEGAL.search(name)):
        return Refusal("InvalidName", f"Invalid Name: '{name}'")
    return None
