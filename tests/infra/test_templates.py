"""The templates as CloudFormation will get them: unchanged unless somebody meant it, linted, and true to the code that runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clickstream.schema import generate
from consumers.archive.parquet import SCHEMA as ARCHIVE
from consumers.runtime.daemon import _JVM_END_S
from consumers.runtime.properties import Tuning
from infra.local.together import APPLICATIONS
from infra.stacks.catalogue import COLUMNS
from infra.stacks.gateway import EVENT_FIELDS, EVENT_TYPES
from tests.infra.snapshots import SNAPSHOTS, text_of
from tests.infra.templates import Template, of_type

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
    files = [str(path) for folder in assemblies.values() for path in sorted(folder.glob("*.template.json"))]
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--ignore-checks", _IGNORED, "--template", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_a_task_has_longer_to_stop_than_a_worker_to_drain(templates: Templates) -> None:
    drain_s = Tuning().shutdown_grace_ms / 1000 + _JVM_END_S
    tasks = of_type(templates["production"]["clickstream-workers"], "AWS::ECS::TaskDefinition").values()
    assert len(tasks) == len(APPLICATIONS)
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
    assert len(kept) > len(APPLICATIONS) * 3
    assert {entry["DeletionPolicy"] for entry in kept} == {"Retain"}


def test_every_table_can_be_restored_to_a_second(templates: Templates) -> None:
    tables = [
        table for template in templates["production"].values() for table in of_type(template, "AWS::DynamoDB::Table").values()
    ]
    assert all(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] for table in tables)
    assert all(table["BillingMode"] == "PAY_PER_REQUEST" for table in tables)


def test_the_gateway_asks_for_what_every_event_must_have() -> None:
    definitions = generate()["$defs"]
    events = [each for each in definitions.values() if "type" in each["properties"]]
    types = {each["properties"]["type"]["enum"][0] for each in events}
    assert set(EVENT_TYPES) == types
    # an id may be left to the collector
    assert set(EVENT_FIELDS) == set.intersection(*(set(each["required"]) for each in events)) - {"event_id"}


def test_athena_has_the_archives_columns() -> None:
    hive = {"int64": "bigint", "string": "string", "int16": "smallint", "int32": "int", "bool": "boolean"}
    assert list(COLUMNS) == ARCHIVE.names
    for field in ARCHIVE:
        if str(field.type) in hive:
            assert COLUMNS[field.name] == hive[str(field.type)]
        else:
            assert COLUMNS[field.name].startswith(("struct<", "array<struct<", "timestamp"))


@pytest.mark.parametrize("stage", ["production", "staging"])
def test_a_release_is_a_parameter(templates: Templates, stage: str) -> None:
    """So that a roll-back is a deployment of the same template."""
    stacks = {name.rsplit("-", 1)[-1]: template for name, template in templates[stage].items()}
    for part in ("workers", "web", "orders", "autoscaler"):
        assert "Release" in stacks[part]["Parameters"]
