"""The two encodings of the API: AWS JSON 1.1 (boto3, the AWS CLI) and CBOR (the Java SDK, and so KCL).

They differ in binary data (base64 against byte strings) and in times: seconds with a fraction in JSON; in CBOR tag 1 (epoch
time) over *milliseconds*, which is not what the CBOR standard says tag 1 holds, but what the Java SDK writes and reads.
"""

from __future__ import annotations

from typing import TypeVar

import cbor2
import msgspec

from clickstream.infra.local.kinesis.model.errors import SerializationException

JSON = "application/x-amz-json-1.1"
CBOR = "application/x-amz-cbor-1.1"

_EPOCH_TAG = 1

T = TypeVar("T")


class Timestamp:
    """A time in a response or in a CBOR request."""

    __slots__ = ("ms",)

    def __init__(self, ms: int) -> None:
        self.ms = ms


def _json_time(value: object) -> object:
    if isinstance(value, Timestamp):
        return value.ms / 1000
    raise NotImplementedError(type(value))


def _cbor_time(encoder: cbor2.CBOREncoder, value: object) -> None:
    if not isinstance(value, Timestamp):
        raise NotImplementedError(type(value))
    encoder.encode(cbor2.CBORTag(_EPOCH_TAG, value.ms))


def _read_cbor_time(value: object, _immutable: bool) -> Timestamp:
    if isinstance(value, int | float):
        return Timestamp(round(value))
    raise SerializationException("a time must be a number of milliseconds")


# without this cbor2 takes the milliseconds for seconds, some 50,000 years from now, and refuses them
_TIME_DECODERS = {_EPOCH_TAG: _read_cbor_time}


class JsonWire:
    """AWS JSON 1.1."""

    content_type = JSON

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder(enc_hook=_json_time)

    def decode(self, body: bytes, kind: type[T]) -> T:
        """The body as a typed value; SerializationException when it is not one."""
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise SerializationException(str(error)) from None

    def encode(self, value: object) -> bytes:
        return self._encoder.encode(value)

    def milliseconds(self, value: object) -> int:
        """A time member: seconds since the epoch, with a fraction."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return round(value * 1000)
        raise SerializationException("a time must be a number of seconds")


class CborWire:
    """CBOR as the Java SDK speaks it."""

    content_type = CBOR

    def decode(self, body: bytes, kind: type[T]) -> T:
        """The body as a typed value; SerializationException when it is not one."""
        try:
            value = cbor2.loads(body, semantic_decoders=_TIME_DECODERS)
            return msgspec.convert(value, kind, builtin_types=(bytes,))
        except (cbor2.CBORDecodeError, msgspec.MsgspecError, RecursionError) as error:
            raise SerializationException(str(error)) from None

    def encode(self, value: object) -> bytes:
        if not isinstance(value, dict):
            value = msgspec.to_builtins(value, builtin_types=(bytes,))
        return cbor2.dumps(value, default=_cbor_time)

    def milliseconds(self, value: object) -> int:
        """A time member: milliseconds, tagged or not."""
        if isinstance(value, Timestamp):
            return value.ms
        if isinstance(value, int | float) and not isinstance(value, bool):
            return round(value)
        raise SerializationException("a time must be a number of milliseconds")


Wire = JsonWire | CborWire

_JSON_WIRE = JsonWire()
_CBOR_WIRE = CborWire()


def wire_for(content_type: str) -> Wire | None:
    """The encoding of a request and of its response; None for one that Kinesis does not know."""
    match content_type.partition(";")[0].strip().lower():
        case "application/x-amz-json-1.1" | "application/json":
            return _JSON_WIRE
        case "application/x-amz-cbor-1.1" | "application/cbor":
            return _CBOR_WIRE
        case _:
            return None
