"""Deploys synthesized templates to the embedded AWS by CloudFormation, and says what of them it cannot take."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3

from clickstream.settings import Settings
from tests.infra.templates import Template

#: Types that ministack's CloudFormation does not know (facts of 1.5.33); a template with one of them is refused whole.
UNSUPPORTED = frozenset({"AWS::Lambda::EventInvokeConfig"})


class Deployment:
    """One embedded AWS with our stacks in it."""

    def __init__(self, settings: Settings) -> None:
        access_key, secret = settings.credentials or ("test", "test")
        self._session = boto3.Session(
            region_name=settings.region, aws_access_key_id=access_key, aws_secret_access_key=secret
        )
        self._endpoint = settings.endpoint_url
        self.left_out: dict[str, str] = {}
        """Resource → its type, of what was not deployed."""

    def client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._endpoint)  # type: ignore[call-overload]  # any service

    def deploy(self, stacks: Mapping[str, Template], order: Sequence[str], parameters: Mapping[str, str]) -> dict[str, str]:
        """Create the stacks in this order; returns all outputs. Raises AssertionError with the reasons when one fails."""
        formation = self.client("cloudformation")
        bucket = "templates"
        self.client("s3").create_bucket(Bucket=bucket)  # there already: as it is
        outputs: dict[str, str] = {}
        for name in order:
            template = self._supported(name, stacks[name])
            # a body over 51,200 bytes is not taken by value
            self.client("s3").put_object(Bucket=bucket, Key=f"{name}.json", Body=json.dumps(template).encode())
            taken = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items() if key in template.get("Parameters", {})]
            formation.create_stack(
                StackName=name,
                TemplateURL=f"{self._endpoint}/{bucket}/{name}.json",
                Parameters=taken,
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
            formation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
            (stack,) = formation.describe_stacks(StackName=name)["Stacks"]
            assert stack["StackStatus"] == "CREATE_COMPLETE", self._reasons(name)
            outputs |= {entry["OutputKey"]: entry["OutputValue"] for entry in stack.get("Outputs", [])}
        return outputs

    def _supported(self, name: str, template: Template) -> Template:
        """Without the resources that ministack does not know, and without what refers to them."""
        refused = {key for key, entry in template["Resources"].items() if entry["Type"] in UNSUPPORTED}
        self.left_out |= {f"{name}/{key}": template["Resources"][key]["Type"] for key in refused}
        kept = {key: entry for key, entry in template["Resources"].items() if key not in refused}
        return template | {"Resources": kept}

    def _reasons(self, name: str) -> str:
        events = self.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        return "; ".join(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed)


def read_parameters(release: str) -> dict[str, str]:
    """What the pipeline gives the stacks. Without a bootstrapped account there is no CDK version to check."""
    return {"Release": release}


def zipped(folder: Path) -> bytes:
    """A Lambda archive of everything in ``folder``."""
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return buffer.getvalue()
