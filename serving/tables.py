"""Checks the tables once, before serving, so that a missing one is one line on stderr and not a notice on a page."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from clickstream.aws import Clients
from clickstream.errors import Missing, UserMistake
from clickstream.platform import SHARDS
from clickstream.settings import Settings
from consumers.analytics.needs import AGGREGATES


def require(clients: Clients, settings: Settings) -> None:
    """Raises Missing for a table that is not there, UserMistake when DynamoDB cannot be asked."""
    place = settings.endpoint("dynamodb") or f"AWS in {settings.region}"
    for table in (SHARDS.of(settings), AGGREGATES.of(settings)):
        try:
            clients.dynamodb.describe_table(TableName=table)
        except clients.dynamodb.exceptions.ResourceNotFoundException as error:
            raise Missing(
                f"there is no table {table} on {place}",
                hint="`clickstream local start` makes it on a laptop; or is CLICKSTREAM_NAME another?",
            ) from error
        except (BotoCoreError, ClientError) as error:
            raise UserMistake(
                f"DynamoDB on {place} cannot be asked: {error}",
                hint="see `clickstream local status`, AWS_ENDPOINT_URL and the credentials",
            ) from error
