"""Reads synthesized templates: which program has which permissions, with the intrinsic functions resolved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

Template = dict[str, Any]
_PSEUDO = {"AWS::Partition": "aws", "AWS::AccountId": "000000000000", "AWS::URLSuffix": "amazonaws.com"}


class Permission(msgspec.Struct, frozen=True, order=True):
    """One action that a policy allows on one resource: ``service:tail`` of its ARN, or ``*``."""

    action: str
    resource: str
    condition: str = ""
    """As JSON."""


def read(folder: Path) -> dict[str, Template]:
    """Stack name → template, of a folder that the app wrote."""
    suffix = ".template.json"
    return {path.name.removesuffix(suffix): json.loads(path.read_text()) for path in sorted(folder.glob(f"*{suffix}"))}


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """Logical id → properties."""
    return {name: entry.get("Properties", {}) for name, entry in template["Resources"].items() if entry["Type"] == kind}


def permissions(templates: Mapping[str, Template], prefix: str) -> dict[str, set[Permission]]:
    """Program → what its role may do. Programs are tasks and functions, by their names without ``prefix-``."""
    found: dict[str, set[Permission]] = {}
    for template in templates.values():
        for task in of_type(template, "AWS::ECS::TaskDefinition").values():
            found[task["Family"].removeprefix(f"{prefix}-")] = _of_role(template, task["TaskRoleArn"])
        for function in of_type(template, "AWS::Lambda::Function").values():
            name = function.get("FunctionName")
            if name is not None:  # the CDK's own helpers have none
                found[name.removeprefix(f"{prefix}-")] = _of_role(template, function["Role"])
    return found


def _of_role(template: Template, reference: dict[str, Any]) -> set[Permission]:
    role = reference["Fn::GetAtt"][0]
    assert not template["Resources"][role]["Properties"].get("ManagedPolicyArns"), f"{role} has managed policies"
    return {
        permission
        for policy in of_type(template, "AWS::IAM::Policy").values()
        if {"Ref": role} in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
        for permission in _of_statement(template, statement)
    }


def _of_statement(template: Template, statement: dict[str, Any]) -> Iterator[Permission]:
    assert statement["Effect"] == "Allow"
    condition = json.dumps(statement["Condition"], sort_keys=True, separators=(",", ":")) if "Condition" in statement else ""
    for action in _list(statement["Action"]):
        for resource in _list(statement["Resource"]):
            yield Permission(action, _tail(_text(template, resource)), condition)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(template: Template, value: Any) -> str:
    """An ARN as text; of resources in this or another stack only their kind is told, as ``<Type>``."""
    match value:
        case str():
            return value
        case {"Ref": name} if name in _PSEUDO:
            return _PSEUDO[name]
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(_text(template, part) for part in parts)
        case {"Fn::GetAtt": [name, "Arn"]}:
            entry = template["Resources"][name]
            if entry["Type"] == "AWS::SQS::Queue":
                return f"arn:aws:sqs:us-east-1:000000000000:{entry['Properties']['QueueName']}"
            return f"<{entry['Type']}>"
        case {"Fn::ImportValue": export}:
            return "<AWS::KMS::Key>" if "Key" in str(export) else str(export)
    raise AssertionError(f"not resolved: {value}")


def _tail(arn: str) -> str:
    if not arn.startswith("arn:"):
        return arn
    _, _, service, _, _, tail = arn.split(":", 5)
    return f"{service}:{tail}"
