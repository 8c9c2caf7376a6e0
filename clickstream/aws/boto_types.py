"""The types of boto3's clients and requests, known to the type checker alone: the stubs are no part of an installation."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient as CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient as DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef as AttributeValueTypeDef
    from mypy_boto3_dynamodb.type_defs import BatchStatementRequestTypeDef as BatchStatementRequestTypeDef
    from mypy_boto3_dynamodb.type_defs import CreateTableInputTypeDef as CreateTableInputTypeDef
    from mypy_boto3_dynamodb.type_defs import KeysAndAttributesTypeDef as KeysAndAttributesTypeDef
    from mypy_boto3_dynamodb.type_defs import KeySchemaElementTypeDef as KeySchemaElementTypeDef
    from mypy_boto3_dynamodb.type_defs import PutTypeDef as PutTypeDef
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef as TransactWriteItemTypeDef
    from mypy_boto3_dynamodb.type_defs import UniversalAttributeValueTypeDef as UniversalAttributeValueTypeDef
    from mypy_boto3_kinesis import KinesisClient as KinesisClient
    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef as PutRecordsRequestEntryTypeDef
    from mypy_boto3_lambda import LambdaClient as LambdaClient
    from mypy_boto3_s3 import S3Client as S3Client
    from mypy_boto3_sns import SNSClient as SNSClient
    from mypy_boto3_sqs import SQSClient as SQSClient
    from mypy_boto3_stepfunctions import SFNClient as SFNClient
else:

    def __getattr__(_: str) -> object:
        return Any
