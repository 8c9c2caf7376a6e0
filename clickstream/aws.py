"""The one place that makes AWS clients: same credentials, region, endpoint and retry rules for every part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream.errors import UserMistake
from clickstream.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient


class Clients:
    """boto3 clients by service, each made once and then shared (they are thread-safe).

    ``attempts`` is botocore's total for one call (standard mode: jittered, 5xx and throttling alike); callers that must know
    of every failure, as the publisher does, ask for 1. ``validate``: let botocore look at every parameter before a call; it
    takes most of the time of a large write, and who calls with arguments that the type checker has seen need not pay it.
    """

    def __init__(self, settings: Settings, *, attempts: int = 4, connections: int = 16, validate: bool = True) -> None:
        # boto3 costs 0.2 s to import: programs that never reach AWS do not pay for it
        import boto3
        from botocore.config import Config
        from botocore.exceptions import ProfileNotFound

        self._settings = settings
        access_key, secret_key = settings.credentials or (None, None)
        try:
            self._session = boto3.Session(
                profile_name=settings.profile,
                region_name=settings.region,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
            )
        except ProfileNotFound as error:
            raise UserMistake(
                f"there is no AWS profile {settings.profile!r}", hint="see AWS_PROFILE and `aws configure list-profiles`"
            ) from error
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=3,
            read_timeout=20,
            tcp_keepalive=True,
            max_pool_connections=connections,
            parameter_validation=validate,
        )
        self._made: dict[str, object] = {}

    def _client(self, service: str) -> object:
        if service not in self._made:
            self._made[service] = self._session.client(  # type: ignore[call-overload]  # the name is not a literal here
                service, endpoint_url=self._settings.endpoint(service), config=self._config
            )
        return self._made[service]

    def credentials(self) -> tuple[str | None, str | None, str | None] | None:
        """Access key, secret and session token as they are now, for a client that is not boto3's; None when there are none."""
        found = self._session.get_credentials()
        if found is None:
            return None
        frozen = found.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token

    @property
    def cloudwatch(self) -> CloudWatchClient:
        return self._client("cloudwatch")  # type: ignore[return-value]  # one cache for all services

    @property
    def kinesis(self) -> KinesisClient:
        return self._client("kinesis")  # type: ignore[return-value]  # one cache for all services

    @property
    def dynamodb(self) -> DynamoDBClient:
        return self._client("dynamodb")  # type: ignore[return-value]  # one cache for all services

    @property
    def lambda_(self) -> LambdaClient:
        return self._client("lambda")  # type: ignore[return-value]  # one cache for all services

    @property
    def stepfunctions(self) -> SFNClient:
        return self._client("stepfunctions")  # type: ignore[return-value]  # one cache for all services

    @property
    def s3(self) -> S3Client:
        return self._client("s3")  # type: ignore[return-value]  # one cache for all services

    @property
    def sqs(self) -> SQSClient:
        return self._client("sqs")  # type: ignore[return-value]  # one cache for all services

    @property
    def sns(self) -> SNSClient:
        return self._client("sns")  # type: ignore[return-value]  # one cache for all services
