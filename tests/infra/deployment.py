"""Deploys synthesized templates to the embedded AWS by CloudFormation, as ``cdk deploy`` does, and puts right what it drops."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
import msgspec

from clickstream.settings import Settings
from tests.infra.templates import Template, of_type

#: The stacks that it takes, in the order of a first deployment.
ORDER = ("stream", "stores", "orders", "catalogue", "autoscaler", "gateway", "alarms")
RELEASE = "r1"
_TEMPLATES = "templates"


class Answer(msgspec.Struct, frozen=True):
    status: int
    body: bytes


def _taken(template: Template) -> Template:
    """One plain metric in the place of an alarm's query, which is refused here; the alarm itself is named by the dashboard."""
    resources = {}
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]:
            others = {key: value for key, value in resource["Properties"].items() if key != "Metrics"}
            plain = {"Namespace": "Query", "MetricName": name, "Statistic": "Maximum", "Period": 60}
            resource = resource | {"Properties": others | plain}
        resources[name] = resource
    return template | {"Resources": resources}


class Deployment:
    """One embedded AWS with our stacks in it."""

    def __init__(self, settings: Settings) -> None:
        access_key, secret = settings.credentials or ("test", "test")
        self._session = boto3.Session(region_name=settings.region, aws_access_key_id=access_key, aws_secret_access_key=secret)
        self._endpoint = settings.endpoint_url
        self.outputs: dict[str, str] = {}

    def client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._endpoint)  # type: ignore[call-overload]  # any service

    def prepare(self, releases: str, functions: bytes) -> None:
        """What a bootstrapped account and the pipeline's build have ready."""
        for bucket in (_TEMPLATES, releases):
            self.client("s3").create_bucket(Bucket=bucket)
        self.client("s3").put_object(Bucket=releases, Key=f"functions/{RELEASE}.zip", Body=functions)
        self.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="21", Type="String")

    def deploy(self, name: str, template: Template) -> None:
        """Create one stack; raises AssertionError with the reasons when it fails."""
        formation = self.client("cloudformation")
        # by URL: a body over 51,200 bytes is not taken by value
        self.client("s3").put_object(Bucket=_TEMPLATES, Key=f"{name}.json", Body=json.dumps(_taken(template)).encode())
        taken = [{"ParameterKey": "Release", "ParameterValue": RELEASE}] if "Release" in template.get("Parameters", {}) else []
        formation.create_stack(
            StackName=name,
            TemplateURL=f"{self._endpoint}/{_TEMPLATES}/{name}.json",
            Parameters=taken,
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        (stack,) = formation.describe_stacks(StackName=name)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE", f"{name}: {self._reasons(name)}"
        self.outputs |= {entry["OutputKey"]: entry["OutputValue"] for entry in stack.get("Outputs", [])}

    def validate_requests(self, template: Template) -> None:
        """Attach the validators that the template names: this CloudFormation takes them and forgets them."""
        gateway, api = self.client("apigateway"), self.outputs["ApiId"]
        validators = of_type(template, "AWS::ApiGateway::RequestValidator")
        methods = of_type(template, "AWS::ApiGateway::Method")
        resources = {item["path"]: item["id"] for item in gateway.get_resources(restApiId=api, limit=500)["items"]}
        for method in methods.values():
            validator = validators[method["RequestValidatorId"]["Ref"]]
            made = gateway.create_request_validator(
                restApiId=api,
                name="again",
                validateRequestBody=validator.get("ValidateRequestBody", False),
                validateRequestParameters=validator.get("ValidateRequestParameters", False),
            )
            path = urlsplit(method["Integration"]["Uri"]).path
            gateway.update_method(
                restApiId=api,
                resourceId=resources[path],
                httpMethod=method["HttpMethod"],
                patchOperations=[{"op": "replace", "path": "/requestValidatorId", "value": made["id"]}],
            )

    def admit(self, key: str) -> None:
        """As the runbook says: the collector's key becomes one of the gateway's."""
        gateway = self.client("apigateway")
        made = gateway.create_api_key(name="shop-web", value=key, enabled=True)
        gateway.create_usage_plan_key(usagePlanId=self.outputs["PlanId"], keyId=made["id"], keyType="API_KEY")

    def request(self, method: str, path: str, *, key: str | None, body: object = None) -> Answer:
        """Through the gateway."""
        address = urlsplit(self._endpoint or "")
        headers = {"Host": f"{self.outputs['ApiId']}.execute-api.localhost:{address.port}", "Content-Type": "application/json"}
        if key is not None:
            headers["x-api-key"] = key
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        try:
            connection.request(method, f"/live{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        finally:
            connection.close()

    def _reasons(self, name: str) -> str:
        events = self.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        return "; ".join(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed)


def kinds(stacks: Mapping[str, Template]) -> set[str]:
    """The types of all resources."""
    return {entry["Type"] for template in stacks.values() for entry in template["Resources"].values()}
