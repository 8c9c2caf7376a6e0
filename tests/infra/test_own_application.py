"""A short application of somebody else's: synthesized like ours, with what its declaration says and no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.infra.templates import Permission, Template, of_type, permissions, read

ROOT = Path(__file__).parents[2]
_MODULE = """
from clickstream.answers.cells import Count
from clickstream.answers.declared import Application, Files, Messages, Table

APPLICATION = Application(
    "carts",
    on={},
    answers=[
        Table("left", per=0, left=Count()),
        Messages("reminders", to="sqs"),
        Messages("sold", to="sns"),
        Messages("crm", to="webhook"),
        Files("lines"),
    ],
)
"""


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    folder = tmp_path_factory.mktemp("own")
    (folder / "carts").mkdir()
    (folder / "carts" / "__init__.py").write_text(_MODULE.lstrip())
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "CLICKSTREAM_APPLICATIONS": "carts"}
    command = [sys.executable, "-m", "clickstream.infra.app", "production", "--outdir", str(folder / "cdk")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr  # cdk-nag among others
    return read(folder / "cdk" / "production")


def test_it_has_least_privilege(synthesized: dict[str, Template], templates: dict[str, dict[str, Template]]) -> None:
    roles, before = permissions(synthesized, "clickstream"), permissions(templates["production"], "clickstream")
    every_worker = {
        Permission(each.action, each.resource.replace("analytics", "carts"), each.condition.replace("analytics", "carts"))
        for each in before["analytics"]
        if each.resource != "dynamodb:table/clickstream-aggregates"
    }
    own = {
        ("dynamodb:PutItem", "dynamodb:table/clickstream-carts-left"),
        ("dynamodb:PutItem", "dynamodb:table/clickstream-carts-outbox"),
        ("dynamodb:UpdateItem", "dynamodb:table/clickstream-carts-outbox"),
        ("sqs:GetQueueUrl", "sqs:clickstream-carts-reminders.fifo"),
        ("sqs:SendMessage", "sqs:clickstream-carts-reminders.fifo"),
        ("sns:CreateTopic", "sns:clickstream-carts-sold.fifo"),
        ("sns:Publish", "sns:clickstream-carts-sold.fifo"),
        ("s3:GetObject", "s3:clickstream-carts-files/*"),
        ("s3:PutObject", "s3:clickstream-carts-files/*"),
        ("s3:ListBucket", "s3:clickstream-carts-files"),
    }
    assert {(each.action, each.resource) for each in roles.pop("carts") - every_worker} == own
    read_by_serving = roles.pop("serving") - before.pop("serving")
    assert read_by_serving == {
        Permission("dynamodb:Query", "dynamodb:table/clickstream-carts-left"),
        Permission("dynamodb:GetItem", "dynamodb:table/clickstream-carts-outbox"),
    }
    assert roles == before, "another program's role has changed"


def test_its_stores_are_made(synthesized: dict[str, Template]) -> None:
    stores = synthesized["clickstream-stores"]
    tables = {table["TableName"]: table for table in of_type(stores, "AWS::DynamoDB::Table").values()}
    assert [key["AttributeName"] for key in tables["clickstream-carts-left"]["KeySchema"]] == ["window", "row"]
    assert [key["AttributeName"] for key in tables["clickstream-carts-outbox"]["KeySchema"]] == ["id"]
    for name in ("left", "outbox"):
        assert tables[f"clickstream-carts-{name}"]["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    queues = {queue.get("QueueName"): (name, queue) for name, queue in of_type(stores, "AWS::SQS::Queue").items()}
    _, queue = queues["clickstream-carts-reminders.fifo"]
    dead, letters = queues["clickstream-carts-reminders-dead.fifo"]
    assert queue["FifoQueue"] is True
    assert letters["FifoQueue"] is True
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": [dead, "Arn"]}
    topics = {topic.get("TopicName"): topic for topic in of_type(stores, "AWS::SNS::Topic").values()}
    assert topics["clickstream-carts-sold.fifo"]["FifoTopic"] is True
    assert "clickstream-carts-files" in {bucket.get("BucketName") for bucket in of_type(stores, "AWS::S3::Bucket").values()}


def test_its_alarms_ring(synthesized: dict[str, Template], templates: dict[str, dict[str, Template]]) -> None:
    alarms, before = (
        {alarm["AlarmName"].removeprefix("clickstream-"): alarm for alarm in of_type(stack, "AWS::CloudWatch::Alarm").values()}
        for stack in (synthesized["clickstream-alarms"], templates["production"]["clickstream-alarms"])
    )
    service = {f"carts-{kind}" for kind in ("not-running", "memory", "forbidden", "dies", "behind")}
    tables, messages = (
        {"carts-left-throttled", "carts-outbox-throttled"},
        {"carts-reminders-undelivered", "carts-sold-undelivered"},
    )
    assert alarms.keys() - before.keys() == service | tables | messages
    watched: dict[str, Any] = {name: alarms[name]["Dimensions"] for name in messages}
    assert watched == {
        "carts-reminders-undelivered": [{"Name": "QueueName", "Value": "clickstream-carts-reminders-dead.fifo"}],
        "carts-sold-undelivered": [{"Name": "TopicName", "Value": "clickstream-carts-sold.fifo"}],
    }


def test_only_a_worker_with_webhooks_is_given_their_urls(synthesized: dict[str, Template]) -> None:
    tasks = of_type(synthesized["clickstream-workers"], "AWS::ECS::TaskDefinition").values()
    secrets = {
        task["Family"]: [(secret["Name"], str(secret["ValueFrom"])) for secret in container.get("Secrets", ())]
        for task in tasks
        for container in task["ContainerDefinitions"]
    }
    ((name, value_from),) = secrets.pop("clickstream-carts")
    (secret,) = of_type(synthesized["clickstream-stores"], "AWS::SecretsManager::Secret")
    assert name == "CLICKSTREAM_WEBHOOKS"
    assert secret in value_from, "the whole ARN, which ECS needs"
    assert set(map(tuple, secrets.values())) == {()}
