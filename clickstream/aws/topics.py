"""Messages to SNS topics, made such that SNS and the queues behind it take them, whatever a client's ids hold."""

import re
from collections.abc import Mapping

from clickstream.aws.boto_types import SNSClient
from clickstream.failures.outages import translated

#: SNS: "up to 100 characters long", and it refuses the hundredth.
_LONGEST_SUBJECT = 99
#: What XML 1.0, and so SQS, has no character for.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Topic:
    """A topic's ARN is asked for by name at the first message; that also makes a topic which is not there."""

    def __init__(self, sns: SNSClient, name: str, attributes: Mapping[str, str] | None = None) -> None:
        self._sns = sns
        self._name = name
        self._attributes = dict(attributes or {})
        self._arn = ""

    def publish(
        self, document: bytes, attributes: Mapping[str, str], *, title: str = "", once: tuple[str, str] | None = None
    ) -> None:
        """Tell a JSON document. ``once``: of a FIFO topic, the group and the id by which it knows a repetition.

        Raises RetryLater, Unwritable.
        """
        asked: dict[str, str] = {}
        if title:
            asked["Subject"] = subject(title)
        if once is not None:
            asked["MessageGroupId"], asked["MessageDeduplicationId"] = once
        with translated("SNS"):
            if not self._arn:
                self._arn = self._sns.create_topic(Name=self._name, Attributes=self._attributes)["TopicArn"]
            self._sns.publish(
                TopicArn=self._arn,
                Message=body(document),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": attribute(value)} for name, value in attributes.items()
                },
                **asked,
            )


def subject(text: str) -> str:
    """Printable ASCII, beginning with no space, shorter than 100 characters and not empty: what SNS takes for a Subject."""
    return re.sub("[^ -~]", "?", text).strip()[:_LONGEST_SUBJECT] or "?"


def attribute(text: str) -> str:
    """What SNS takes for an attribute's value: not empty, and of characters that XML has."""
    return _ILLEGAL.sub("\ufffd", text) or "?"


def body(document: bytes) -> str:
    """JSON as it is, but for characters that XML has not, which are escaped; in JSON they occur within strings only."""
    return _ILLEGAL.sub(lambda found: f"\\u{ord(found[0]):04x}", document.decode())
