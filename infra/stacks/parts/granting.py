"""Turns the roles of clickstream.infra.permissions into IAM statements."""

from __future__ import annotations

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from clickstream.infra.permissions import Role
from clickstream.infra.stacks.parts.exceptions import accept
from clickstream.needs import Grant


def grant(role: Role, principal: iam.IGrantable, scope: Construct, key: kms.IKey) -> None:
    """One statement for each grant, and the key that all of it is encrypted with."""
    stack = Stack.of(scope)
    for entry in (*role.seen, *role.unseen):
        arn = _arn(entry, stack)
        principal.grant_principal.add_to_principal_policy(
            iam.PolicyStatement(actions=list(entry.actions), resources=[arn], conditions=entry.conditions or None)
        )
        if "*" in arn:
            accept(scope, f"IAM5[Resource::{_as_shown(entry, stack)}]", entry.reason or "the objects under one prefix")
    # Kinesis, S3, SQS and SNS ask KMS in the name of whoever calls them
    key.grant(principal, "kms:Decrypt", "kms:GenerateDataKey")


def _arn(entry: Grant, stack: Stack) -> str:
    service, _, tail = entry.resource.partition(":")
    if entry.resource == "*":
        return "*"
    place = {"region": "", "account": ""} if service == "s3" else {}  # a bucket's name is global
    return stack.format_arn(service=service, resource=tail, arn_format=ArnFormat.NO_RESOURCE_NAME, **place)


def _as_shown(entry: Grant, stack: Stack) -> str:
    """As cdk-nag writes an ARN: with the names of the pseudo parameters."""
    return (
        _arn(entry, stack)
        .replace(stack.partition, "<AWS::Partition>")
        .replace(stack.account, "<AWS::AccountId>")
        .replace(Aws.PARTITION, "<AWS::Partition>")
    )
