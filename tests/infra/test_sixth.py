"""A sixth application, in a folder of its own: synthesized like the others, with what it declares and no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests import sixth
from tests.infra.templates import Permission, Template, of_type, permissions, read


def test_a_sixth_application_has_least_privilege(tmp_path: Path, templates: dict[str, dict[str, Template]]) -> None:
    environment = os.environ | sixth.write(tmp_path)
    command = [sys.executable, "-m", "clickstream.infra.app", "production", "--outdir", str(tmp_path / "cdk")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr  # cdk-nag among others
    found, before = read(tmp_path / "cdk" / "production"), templates["production"]
    roles, roles_before = permissions(found, "clickstream"), permissions(before, "clickstream")
    # its own table, KCL's tables and what every worker may do: as analytics, but for the names
    analytics = {
        Permission(each.action, each.resource.replace("analytics", sixth.NAME), each.condition.replace("analytics", sixth.NAME))
        for each in roles_before["analytics"]
        if each.resource != "dynamodb:table/clickstream-aggregates"
    }
    own = Permission("dynamodb:PutItem", "dynamodb:table/clickstream-basket-lines")
    assert roles.pop(sixth.NAME) == analytics | {own}
    assert roles.pop("serving") - roles_before.pop("serving") == {
        Permission("dynamodb:GetItem", "dynamodb:table/clickstream-basket-lines")
    }
    assert roles == roles_before, "another program's role has changed"
    tables = of_type(found["clickstream-stores"], "AWS::DynamoDB::Table").values()
    (lines,) = (table for table in tables if table["TableName"] == "clickstream-basket-lines")
    assert lines["KeySchema"] == [{"AttributeName": "event_id", "KeyType": "HASH"}]
    alarms = {alarm["AlarmName"] for alarm in of_type(found["clickstream-alarms"], "AWS::CloudWatch::Alarm").values()}
    kinds = ("not-running", "memory", "forbidden", "dies", "behind")
    new = {f"clickstream-{sixth.NAME}-{kind}" for kind in kinds} | {"clickstream-basket-lines-throttled"}
    known = {alarm["AlarmName"] for alarm in of_type(before["clickstream-alarms"], "AWS::CloudWatch::Alarm").values()}
    assert alarms - known == new
