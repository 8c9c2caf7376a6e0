"""How a finding of cdk-nag that is meant is told from one that is not: each with its reason, at the construct it is about."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import Construct


def accept(construct: Construct, rule: str, reason: str) -> None:
    """``rule`` is one of AwsSolutions (``SQS3``; ``IAM5[Resource::*]``). Counts for the construct and all that is in it."""
    cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason))
