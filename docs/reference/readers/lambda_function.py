"""Reads a clickstream in AWS Lambda, with the standard library alone. Paste it and fill in ``handle``.

Needs Python 3.14 for zstd; an earlier Python needs a layer with the package backports.zstd, or a stream of gzip.
The event source mapping needs FunctionResponseTypes=ReportBatchItemFailures. docs/reference/records.md has the format.
"""

import base64
import json
import logging
import zlib

try:
    from compression import zstd
except ImportError:
    try:
        from backports import zstd  # the same module, for an earlier Python
    except ImportError:
        zstd = None

MOST_BYTES = 8 * 1024 * 1024
log = logging.getLogger()


def handle(event):
    """Yours. Raise, and Lambda delivers the event's record again, with all that follow: expect an event_id twice."""
    log.info("%s of %s", event["type"], event["user_id"])


def refused(position, data, reason):
    """Yours: bytes that no retry will turn into events. Keep them, for the stream forgets them."""
    log.error("%s: %s: %s", position, reason, base64.b64encode(data[:1000]).decode())


def handler(event, _context):
    """For an event source mapping of Kinesis."""
    for record in event["Records"]:
        number = record["kinesis"]["sequenceNumber"]
        try:
            read(base64.b64decode(record["kinesis"]["data"]), number)
        except Exception:
            log.exception("record %s is tried again", number)
            return {"batchItemFailures": [{"itemIdentifier": number}]}
    return {"batchItemFailures": []}


def transform(event, _context):
    """For a Firehose stream that transforms its records: each becomes its lines, so that files on S3 are plain NDJSON."""
    return {"records": [transformed(each) for each in event["records"]]}


def transformed(record):
    try:
        text = b"".join(line + b"\n" for _, line in lines(base64.b64decode(record["data"])))
    except ValueError:
        return {"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]}
    return {"recordId": record["recordId"], "result": "Ok", "data": base64.b64encode(text).decode()}


def read(data, number):
    """Every event of one record, in order. A bad line costs none of the others."""
    try:
        found = lines(data)
    except ValueError as error:
        refused((number, 0), data, str(error))
        return
    for index, line in found:
        try:
            event = json.loads(line)
        except ValueError as error:
            refused((number, index), line, str(error))
            continue
        handle(event)


def lines(data):
    """(index, line) of each line that is not blank. Raises ValueError for a block that is damaged or too large."""
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        if zstd is None:
            raise RuntimeError("zstd needs Python 3.14, or a layer with backports.zstd")
        data = inflated(data, zstd.ZstdDecompressor(), zstd.ZstdError)
    elif data.startswith(b"\x1f\x8b"):
        data = inflated(data, zlib.decompressobj(wbits=31), zlib.error)
    return [(index, line) for index, line in enumerate(data.split(b"\n")) if line.strip()]


def inflated(data, decompressor, error):
    try:
        text = decompressor.decompress(data, MOST_BYTES + 1)
    except error as damage:
        raise ValueError("a damaged block") from damage
    if len(text) > MOST_BYTES:
        raise ValueError("a block of more than 8 MiB")
    if not decompressor.eof or decompressor.unused_data:
        raise ValueError("a block that is cut short, or not of one frame")
    return text
