"""The one place that makes AWS clients: same credentials, region, endpoint and retry rules for every part."""

from functools import cache

from clickstream.aws.boto_types import (
    CloudWatchClient,
    DynamoDBClient,
    KinesisClient,
    LambdaClient,
    S3Client,
    SFNClient,
    SNSClient,
    SQSClient,
)
from clickstream.errors import UserMistake
from clickstream.settings import Settings


@cache
def _descriptions() -> object:
    """AWS's descriptions of its services: read once a process, for they are most of what a client weighs."""
    import botocore.session

    return botocore.session.Session().get_component("data_loader")


class Clients:
    """boto3 clients by service, each made once and then shared (they are thread-safe).

    ``attempts`` is botocore's total for one call (standard mode: jittered, 5xx and throttling alike); callers that must know
    of every failure, as the publisher does, ask for 1. ``validate``: let botocore look at every parameter before a call; it
    takes most of the time of a large write, and who calls with arguments that the type checker has seen need not pay it.
    """

    cloudwatch: CloudWatchClient
    dynamodb: DynamoDBClient
    kinesis: KinesisClient
    lambda_: LambdaClient
    s3: S3Client
    sns: SNSClient
    sqs: SQSClient
    stepfunctions: SFNClient

    def __init__(self, settings: Settings, *, attempts: int = 4, connections: int = 16, validate: bool = True) -> None:
        # boto3 costs 0.2 s to import: programs that never reach AWS do not pay for it
        import boto3
        import botocore.session
        from botocore.config import Config
        from botocore.exceptions import ProfileNotFound

        self._settings = settings
        access_key, secret_key = settings.credentials or (None, None)
        core = botocore.session.Session()
        try:
            core.register_component("data_loader", _descriptions())
            self._session = boto3.Session(
                botocore_session=core,
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

    def __getattr__(self, service: str) -> object:
        """Makes the client that is asked for the first time; from then on it is a plain attribute."""
        if service not in Clients.__annotations__:
            raise AttributeError(service)
        name = service.rstrip("_")
        client: object = self._session.client(  # type: ignore[call-overload]  # the name is not a literal here
            name, endpoint_url=self._settings.endpoint("sfn" if name == "stepfunctions" else name), config=self._config
        )
        setattr(self, service, client)
        return client

    def credentials(self) -> tuple[str | None, str | None, str | None] | None:
        """Access key, secret and session token as they are now, for a client that is not boto3's; None when there are none."""
        found = self._session.get_credentials()
        if found is None:
            return None
        frozen = found.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token
