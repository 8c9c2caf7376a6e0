"""The templates as CloudFormation will get them: unchanged unless somebody meant it, linted, and true to the code that runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import msgspec
import pytest
from aws_cdk import aws_kms as kms

from clickstream.aws import Clients
from clickstream.consumers.analytics.needs import AGGREGATES
from clickstream.consumers.archive.columns import SCHEMA as ARCHIVE
from clickstream.consumers.archive.columns import Columns
from clickstream.consumers.needs import applications, built_in
from clickstream.consumers.recommendations.needs import OFFERS
from clickstream.consumers.runtime.worker.daemon import _JVM_END_S
from clickstream.consumers.runtime.worker.properties import SHUTDOWN_GRACE_MS
from clickstream.events import KNOWN, Event
from clickstream.infra import app
from clickstream.infra.stacks.catalogue import hive
from clickstream.infra.stacks.gateway import EVENT_FIELDS
from clickstream.infra.stacks.parts.stores import Stores
from clickstream.infra.stages import PRODUCTION, STAGING, Writes
from clickstream.schemas.published import generate
from clickstream.settings import Settings
from tests.infra.deployment import ORDER, kinds
from tests.infra.snapshots import SNAPSHOTS, text_of
from tests.infra.templates import Template, of_type, read

Templates = dict[str, dict[str, Template]]
#: The CDK's own redundant DependsOn.
_IGNORED = "W3005"


def test_the_templates_are_the_checked_in_ones(templates: Templates) -> None:
    for stage, stacks in templates.items():
        for name, template in stacks.items():
            file = SNAPSHOTS / stage / f"{name}.json"
            assert file.exists(), "a new stack: python -m tests.infra.snapshots"
            assert text_of(template) == file.read_text(), f"{name} changed; if that is meant: python -m tests.infra.snapshots"
    assert {path.stem for path in SNAPSHOTS.glob("*/*.json")} == {name for stacks in templates.values() for name in stacks}


def test_cfn_lint_finds_nothing(assemblies: dict[str, Path]) -> None:
    files = [str(path) for stage in ("production", "delivery") for path in sorted(assemblies[stage].glob("*.template.json"))]
    # staging differs in numbers, and in who leads an order
    files += [str(path) for path in assemblies["staging"].glob("*-orders.template.json")]
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--ignore-checks", _IGNORED, "--template", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_a_task_has_longer_to_stop_than_a_worker_to_drain(templates: Templates) -> None:
    drain_s = SHUTDOWN_GRACE_MS / 1000 + _JVM_END_S
    tasks = of_type(templates["production"]["clickstream-workers"], "AWS::ECS::TaskDefinition").values()
    assert len(tasks) == len(applications())
    for task in tasks:
        (container,) = task["ContainerDefinitions"]
        assert drain_s < container["StopTimeout"] <= 120  # Fargate's limit
        assert container["ReadonlyRootFilesystem"] is True


def test_no_template_holds_a_secret_or_a_public_bucket(templates: Templates) -> None:
    for stacks in templates.values():
        for template in stacks.values():
            for bucket in of_type(template, "AWS::S3::Bucket").values():
                assert all(bucket["PublicAccessBlockConfiguration"].values())
            for secret in of_type(template, "AWS::SecretsManager::Secret").values():
                assert secret.get("SecretString", '{"keys": []}') == '{"keys": []}'


def test_what_production_keeps_outlives_its_stacks(templates: Templates) -> None:
    kinds = ("AWS::Kinesis::Stream", "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key")
    kept = [
        entry
        for template in templates["production"].values()
        for entry in template["Resources"].values()
        if entry["Type"] in kinds
    ]
    assert len(kept) > len(applications()) * 3
    assert {entry["DeletionPolicy"] for entry in kept} == {"Retain"}


def test_the_stacks_have_what_the_local_aws_has(provisioned: Settings, templates: Templates) -> None:
    """Whoever adds a table, a queue, a topic or a bucket to one must add it to the other: keys, types and all."""
    clients = Clients(provisioned)
    stacks = list(templates["production"].values())
    ours = PRODUCTION.settings.name

    def of_stacks(kind: str, name: str) -> dict[str, dict[str, Any]]:
        return {found[name]: found for stack in stacks for found in of_type(stack, kind).values() if name in found}

    tables = of_stacks("AWS::DynamoDB::Table", "TableName")
    for name in clients.dynamodb.get_paginator("list_tables").paginate().search("TableNames[]"):
        if name.startswith(provisioned.name):
            keys = clients.dynamodb.describe_table(TableName=name)["Table"]["KeySchema"]
            assert tables[name.replace(provisioned.name, ours)]["KeySchema"] == keys
    queues, topics = of_stacks("AWS::SQS::Queue", "QueueName"), of_stacks("AWS::SNS::Topic", "TopicName")
    for url in clients.sqs.list_queues(QueueNamePrefix=provisioned.name)["QueueUrls"]:
        assert url.rpartition("/")[2].replace(provisioned.name, ours) in queues
    for topic in clients.sns.list_topics()["Topics"]:
        name = topic["TopicArn"].rpartition(":")[2]
        assert not name.startswith(provisioned.name) or name.replace(provisioned.name, ours) in topics
    for bucket in clients.s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        found = of_stacks("AWS::S3::Bucket", "BucketName")
        assert not name.startswith(provisioned.name) or name.replace(provisioned.name, ours) in found


def test_every_table_can_be_restored_to_a_second(templates: Templates) -> None:
    tables = [
        table for template in templates["production"].values() for table in of_type(template, "AWS::DynamoDB::Table").values()
    ]
    assert all(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] for table in tables)
    assert all(table["BillingMode"] == "PAY_PER_REQUEST" for table in tables)


def test_a_table_that_a_stage_buys_by_the_hour_follows_its_use() -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "s")
    key = kms.Key(stack, "Key")
    stores = Stores(stack, Settings(), key, cdk.RemovalPolicy.DESTROY, {"offers": Writes(least=25, most=4_000)})
    stores.table(OFFERS)
    stores.table(AGGREGATES)
    template = app.synth().get_stack_by_name("s").template
    by_name = {each["TableName"]: each for each in of_type(template, "AWS::DynamoDB::Table").values()}
    assert "BillingMode" not in by_name[OFFERS.of(Settings())]  # by the hour is CloudFormation's default
    assert by_name[AGGREGATES.of(Settings())]["BillingMode"] == "PAY_PER_REQUEST"
    targets = of_type(template, "AWS::ApplicationAutoScaling::ScalableTarget").values()
    assert {(each["ScalableDimension"], each["MinCapacity"], each["MaxCapacity"]) for each in targets} == {
        ("dynamodb:table:WriteCapacityUnits", 25, 4_000),
        ("dynamodb:table:ReadCapacityUnits", 25, 4_000),
    }


def test_the_gateway_asks_for_what_every_event_must_have() -> None:
    definitions = generate()["$defs"]
    events = [each for each in definitions.values() if "type" in each["properties"]]
    types = {each["properties"]["type"]["enum"][0] for each in events}
    assert set(KNOWN) == types
    # an id may be left to the collector
    assert set(EVENT_FIELDS) == set.intersection(*(set(each["required"]) for each in events)) - {"event_id"}


def test_athena_has_the_archives_columns(templates: Templates) -> None:
    """Whole, as the archive's files have them: written out here, since the stack derives them."""
    table = of_type(templates["production"]["clickstream-catalogue"], "AWS::Glue::Table")
    (events,) = table.values()
    columns = {each["Name"]: each["Type"] for each in events["TableInput"]["StorageDescriptor"]["Columns"]}
    assert list(columns) == ARCHIVE.names
    assert columns["context"] == (
        "struct<ip:string,device:string,country:string,referrer:string,device_kind:string,traceparent:string>"
    )
    assert columns["items"] == "array<struct<product_id:string,category:string,quantity:int,price:bigint>>"
    flat = {"int64": "bigint", "string": "string", "int16": "smallint", "int32": "int", "bool": "boolean"}
    flat |= {"timestamp[us]": "timestamp"}
    nested = {"context", "items"}
    assert {name: columns[name] for name in columns.keys() - nested} == {
        field.name: flat[str(field.type)] for field in ARCHIVE if field.name not in nested
    }


class Inner(msgspec.Struct):
    size: int


class Wish(Event, frozen=True, kw_only=True, tag="wish"):
    product_id: str
    price: float
    gift: bool
    parts: tuple[Inner, ...]


def test_athena_has_a_struct_for_each_type_of_a_shops_own() -> None:
    assert hive(Columns([Wish]).schema.field("own_wish").type) == (
        "struct<product_id:string,price:double,gift:boolean,parts:array<struct<size:bigint>>>"
    )


def test_serving_has_its_login_and_the_clients_keys_from_secrets_manager(templates: Templates) -> None:
    for stage in ("production", "staging"):
        (web,) = (template for name, template in templates[stage].items() if name.endswith("-web"))
        tasks = of_type(web, "AWS::ECS::TaskDefinition").values()
        (serving,) = (each for task in tasks for each in task["ContainerDefinitions"] if each["Name"] == "serving")
        assert {each["Name"] for each in serving["Secrets"]} == {"CLICKSTREAM_DASHBOARD_TOKEN", "COLLECTOR_KEYS"}


@pytest.mark.parametrize("stage", ["production", "staging"])
def test_a_release_is_a_parameter(templates: Templates, stage: str) -> None:
    """So that a roll-back is a deployment of the same template."""
    stacks = {name.rsplit("-", 1)[-1]: template for name, template in templates[stage].items()}
    for part in ("workers", "web", "orders", "autoscaler"):
        assert "Release" in stacks[part]["Parameters"]


def test_the_docs_say_what_the_embedded_aws_does_not_take(templates: Templates) -> None:
    """By family (``AWS::ECS``), and each stack with its number of resources."""
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "deploy.md").read_text()
    stacks = {name.removeprefix("clickstream-"): found for name, found in templates["production"].items()}
    deployed = {kind for part in ORDER for kind in kinds({part: stacks[part]})}
    for kind in (kinds(stacks) | kinds(templates["delivery"])) - deployed:
        family = kind.rpartition("::")[0]
        assert f"`{family}`" in text or family in {"AWS::CodeBuild", "AWS::ECR", "AWS::EC2"}, kind
    stacks["delivery"] = templates["delivery"]["clickstream-delivery"]
    for name, template in stacks.items():
        assert f"| {name} | {len(template['Resources'])} |" in text, name


def test_who_reads_by_fan_out_takes_no_turn_of_those_who_poll(tmp_path: Path) -> None:
    app.build(msgspec.structs.replace(STAGING, fanout=frozenset({"fraud"})), tmp_path, checked=False).synth()
    tasks = of_type(read(tmp_path)["clickstream-staging-workers"], "AWS::ECS::TaskDefinition").values()
    (containers,) = zip(*(task["ContainerDefinitions"] for task in tasks), strict=True)
    assert {each["Name"]: each["Command"] for each in containers} == {
        name: [name, "--retrieval", "fanout"] if name == "fraud" else [name] for name in built_in()
    }
    pollers = {"Name": "CLICKSTREAM_POLLERS", "Value": str(len(built_in()) - 1)}
    assert all(pollers in each["Environment"] for each in containers)
