"""The archive as a table for Athena: partitions are computed from the names of the folders, so nothing has to be crawled.

While a compaction is under way Athena may see its result beside what it is made of; ``clickstream query sql`` passes over the
latter, an Athena query that must be exact says ``count(DISTINCT event_id)`` or asks for hours that have passed.
"""

from __future__ import annotations

import pyarrow as pa
from aws_cdk import Aws, Environment, RemovalPolicy, Stack
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from aws_cdk import aws_kms as kms
from constructs import Construct

from clickstream.consumers.archive.columns import SCHEMA
from clickstream.consumers.archive.needs import ARCHIVE
from clickstream.infra.stacks.stores import RESULTS
from clickstream.settings import Settings

_HIVE = {
    "string": "string",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "double": "double",
    "bool": "boolean",
    "timestamp[us]": "timestamp",
}


def hive(kind: pa.DataType) -> str:
    """An Arrow type as Hive writes it."""
    if pa.types.is_struct(kind):
        return f"struct<{','.join(f'{field.name}:{hive(field.type)}' for field in kind)}>"
    if pa.types.is_list(kind):
        return f"array<{hive(kind.value_type)}>"
    return _HIVE[str(kind)]


#: The archive's own schema in Hive's types.
COLUMNS = {field.name: hive(field.type) for field in SCHEMA}
FIRST_DAY = "2026-01-01"


class CatalogueStack(Stack):
    """A Glue database with the table ``events``, and a workgroup that keeps a query from reading more than it should."""

    def __init__(
        self, scope: Construct, name: str, *, env: Environment, settings: Settings, key: kms.IKey, removal: RemovalPolicy
    ) -> None:
        super().__init__(scope, name, env=env)
        database = settings.name.replace("-", "_")
        made = glue.CfnDatabase(
            self, "Database", catalog_id=Aws.ACCOUNT_ID, database_input=glue.CfnDatabase.DatabaseInputProperty(name=database)
        )
        location = f"s3://{ARCHIVE.of(settings)}/"
        events = glue.CfnTable(
            self,
            "Events",
            catalog_id=Aws.ACCOUNT_ID,
            database_name=database,
            table_input=glue.CfnTable.TableInputProperty(
                name="events",
                table_type="EXTERNAL_TABLE",
                partition_keys=[_column("date", "string"), _column("hour", "int")],
                parameters={
                    "classification": "parquet",
                    "projection.enabled": "true",
                    "projection.date.type": "date",
                    "projection.date.format": "yyyy-MM-dd",
                    "projection.date.range": f"{FIRST_DAY},NOW+1DAYS",
                    "projection.hour.type": "integer",
                    "projection.hour.range": "0,23",
                    "projection.hour.digits": "2",
                    "storage.location.template": f"{location}date=${{date}}/hour=${{hour}}/",
                },
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    columns=[_column(column, kind) for column, kind in COLUMNS.items()],
                    location=location,
                    input_format="org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                    output_format="org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library="org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
                    ),
                ),
            ),
        )
        events.add_resource_dependency(made)
        athena.CfnWorkGroup(
            self,
            "WorkGroup",
            name=settings.name,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                bytes_scanned_cutoff_per_query=100 * 1024**3,
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=f"s3://{RESULTS.of(settings)}/",
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_KMS", kms_key=key.key_arn
                    ),
                ),
            ),
        ).apply_removal_policy(removal)


def _column(name: str, kind: str) -> glue.CfnTable.ColumnProperty:
    return glue.CfnTable.ColumnProperty(name=name, type=kind)
