"""Tables, buckets, topics and queues: everything but the stream that holds data.

Tables are made here and not by the workers, whose roles may then read and write items but never make or drop a table. What KCL
would make by itself is made as KCL makes it, the index on the leases' owners included. An application with functions has its
tables, topics and queues in a stack with them (clickstream.infra.stacks.functions).
"""

from __future__ import annotations

from aws_cdk import Environment, RemovalPolicy, SecretValue, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from clickstream import platform
from clickstream.consumers.needs import applications, declared, lease_tables
from clickstream.infra.stacks.parts.exceptions import accept
from clickstream.infra.stacks.parts.stores import Stores
from clickstream.infra.stages import Stage
from clickstream.needs import Bucket

_LOGS = Bucket("access-logs", expires_days=90)
#: Of queries over the archive.
RESULTS = Bucket("archive-results", "Results", expires_days=7)


class StoresStack(Stack):
    """Everything in it goes by its name, but for the secret ``webhooks``: there is one if an application needs it."""

    def __init__(
        self, scope: Construct, name: str, *, env: Environment, stage: Stage, key: kms.IKey, removal: RemovalPolicy
    ) -> None:
        super().__init__(scope, name, env=env)
        settings = stage.settings
        stores = Stores(self, settings, key, removal, stage.writes)
        here = [needs for needs in declared() if not needs.functions]
        for table in (*platform.TABLES, *(table for needs in here for table in needs.tables)):
            stores.table(table)
        for application in applications():
            for table in lease_tables(application):
                stores.table(table)
        logs = stores.bucket(_LOGS, logs=None)
        for bucket in (*platform.BUCKETS, *(bucket for needs in declared() for bucket in needs.buckets), RESULTS):
            stores.bucket(bucket, logs)
        stores.queues((), platform.QUEUES)
        for needs in here:
            stores.queues(needs.topics, needs.queues)
        self.webhooks: secretsmanager.ISecret | None = None
        if any(needs.webhooks for needs in here):
            self.webhooks = secretsmanager.Secret(
                self,
                "Webhooks",
                secret_name=f"{settings.name}/webhooks",
                description="A JSON object of webhooks' names and URLs; the workers that need one start once it is there",
                secret_string_value=SecretValue.unsafe_plain_text("{}"),  # there is nothing to hide yet
                removal_policy=removal,
            )
            accept(self.webhooks, "SMG4", "the URLs are the receivers'")
