"""A refusal as each service's protocol carries it. Pure."""

from __future__ import annotations

import json
import uuid
from typing import NamedTuple
from xml.sax.saxutils import escape

from clickstream.infra.local.limits.refusal import Refusal

_JSON = "application/x-amz-json-1.0"
#: SQS's names for its errors in JSON. A header carries the older code, and boto3 shows that one.
_SQS_NEW = {"InvalidParameterValue": "InvalidParameterValueException", "AccessDenied": "AccessDeniedException"}


class Answer(NamedTuple):
    """A whole HTTP answer."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def render(service: str, refusal: Refusal, *, head: bool = False) -> Answer:
    """The whole answer. ``head``: the request was a HEAD, whose answer has no body: boto3 shows the status as the code."""
    request_id = str(uuid.uuid4())
    extra: list[tuple[bytes, bytes]] = [(b"x-amzn-requestid", request_id.encode())]
    match service:
        case "s3":
            kind = "application/xml"
            body = (
                '<?xml version="1.0" encoding="UTF-8"?>\n'
                f"<Error><Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message>"
                f"<RequestId>{request_id}</RequestId></Error>"
            )
            extra = [(b"x-amz-request-id", request_id.encode())]
        case "sns":
            kind = "text/xml"
            body = (
                '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type>'
                f"<Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message></Error>"
                f"<RequestId>{request_id}</RequestId></ErrorResponse>"
            )
        case "sqs":
            kind = _JSON
            name = refusal.code.rpartition(".")[2] if refusal.code.startswith("AWS.") else refusal.code
            body = json.dumps({"__type": f"com.amazonaws.sqs#{_SQS_NEW.get(name, name)}", "message": refusal.message})
            extra.append((b"x-amzn-query-error", f"{refusal.code};Sender".encode()))
        case _:
            kind = _JSON
            body = json.dumps({"__type": refusal.code, "message": refusal.message})
            extra.append((b"x-amzn-errortype", refusal.code.encode()))
    data = b"" if head else body.encode()
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(data)).encode()), *extra]
    return Answer(refusal.status, tuple(headers), data)
