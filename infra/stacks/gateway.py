"""API Gateway before the collector and the read API: keys, usage plan, throttling, validation, and a cache for recommendations.

The gateway checks what is cheap to check far away from us. The collector still checks every event, and answers for it.
"""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, Environment, RemovalPolicy, Size, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_logs as logs
from constructs import Construct

from clickstream.events import KNOWN
from clickstream.infra.stacks.parts.exceptions import accept
from clickstream.infra.stacks.web import COLLECTOR_PORT, SERVING_PORT
from clickstream.infra.stages import Traffic, Upstream

STAGE = "live"
EVENTS_PER_REQUEST = 500
#: What the types have, and must have, in common; a test compares.
EVENT_FIELDS = ("type", "user_id", "session_id", "occurred_at")
_USER = "method.request.path.user_id"
_QUERY = ("count", "without")
_RECOMMENDATIONS = "/v1/recommendations/{user_id}"


class GatewayStack(Stack):
    """``api`` and ``plan``; clients' keys are attached to the plan by hand, see docs/runbook.md."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        env: Environment,
        prefix: str,
        traffic: Traffic,
        target: elb.NetworkLoadBalancer | Upstream,
    ) -> None:
        """``target``: the balancer in the VPC, or the URLs of two programs."""
        super().__init__(scope, name, env=env)
        self._target = target
        self._link = (
            None if isinstance(target, Upstream) else apigateway.VpcLink(self, "Link", vpc_link_name=prefix, targets=[target])
        )
        access = logs.LogGroup(
            self,
            "Access",
            log_group_name=f"/{prefix}/gateway",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=prefix,
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=RemovalPolicy.DESTROY,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # the gateway inflates what clients compress, so that it can check it
            min_compression_size=Size.kibibytes(1),
            deploy_options=self._options(access, traffic),
        )
        keyed = "clients are the shop's own servers and pages: a key names whom to slow down, the collector asks for it again"
        accept(self.api, "APIG4", keyed)
        accept(self.api, "COG4", keyed)
        accept(self.api, "APIG2", "each method has its validator")
        accept(self.api, "APIG3", "throttled per key, and bodies are validated twice; an ACL is the account's to choose")
        accept(
            self.api,
            "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]",
            "the role that API Gateway asks for, once per account",
        )
        version = self.api.root.add_resource("v1")
        self._events(version)
        self._recommendations(version)
        self.plan = apigateway.UsagePlan(
            self,
            "Plan",
            name=prefix,
            api_stages=[apigateway.UsagePlanPerApiStage(api=self.api, stage=self.api.deployment_stage)],
            throttle=apigateway.ThrottleSettings(rate_limit=traffic.rate, burst_limit=traffic.burst),
            quota=apigateway.QuotaSettings(limit=traffic.per_day, period=apigateway.Period.DAY),
        )
        CfnOutput(self, "ApiId", value=self.api.rest_api_id)
        CfnOutput(self, "PlanId", value=self.plan.usage_plan_id)

    def _options(self, access: logs.LogGroup, traffic: Traffic) -> apigateway.StageOptions:
        return apigateway.StageOptions(
            stage_name=STAGE,
            # of all clients together, four times what the plan gives one
            throttling_rate_limit=traffic.rate * 4,
            throttling_burst_limit=traffic.burst * 4,
            metrics_enabled=True,
            tracing_enabled=True,
            logging_level=apigateway.MethodLoggingLevel.ERROR,
            data_trace_enabled=False,  # bodies hold what clients sent: never logged
            access_log_destination=apigateway.LogGroupLogDestination(access),
            access_log_format=apigateway.AccessLogFormat.json_with_standard_fields(
                caller=False,
                http_method=True,
                ip=False,
                protocol=True,
                request_time=True,
                resource_path=True,
                response_length=True,
                status=True,
                user=False,
            ),
            cache_cluster_enabled=True,
            cache_cluster_size="0.5",
            caching_enabled=False,
            method_options={
                f"{_RECOMMENDATIONS}/GET": apigateway.MethodDeploymentOptions(
                    caching_enabled=True, cache_ttl=Duration.seconds(30), cache_data_encrypted=True
                )
            },
        )

    def _events(self, version: apigateway.Resource) -> None:
        model = apigateway.Model(
            self,
            "Events",
            rest_api=self.api,
            model_name="Events",
            content_type="application/json",
            schema=_schema(),
        )
        version.add_resource("events").add_method(
            "POST",
            self._integration("POST", "collector", COLLECTOR_PORT, "/v1/events"),
            api_key_required=True,
            request_models={"application/json": model},
            request_validator=apigateway.RequestValidator(self, "Bodies", rest_api=self.api, validate_request_body=True),
        )

    def _recommendations(self, version: apigateway.Resource) -> None:
        query = {f"method.request.querystring.{name}": False for name in _QUERY}
        passed = {f"integration.request.querystring.{name}": f"method.request.querystring.{name}" for name in _QUERY}
        version.add_resource("recommendations").add_resource("{user_id}").add_method(
            "GET",
            self._integration(
                "GET",
                "serving",
                SERVING_PORT,
                _RECOMMENDATIONS,
                request_parameters={"integration.request.path.user_id": _USER} | passed,
                # a visitor's answer is nobody else's
                cache_key_parameters=[_USER, *query],
            ),
            api_key_required=True,
            request_parameters={_USER: True} | query,
            request_validator=apigateway.RequestValidator(self, "Paths", rest_api=self.api, validate_request_parameters=True),
        )

    def _integration(
        self,
        method: str,
        program: str,
        port: int,
        path: str,
        *,
        request_parameters: dict[str, str] | None = None,
        cache_key_parameters: list[str] | None = None,
    ) -> apigateway.Integration:
        if isinstance(self._target, Upstream):
            origin = getattr(self._target, program)
        else:
            origin = f"http://{self._target.load_balancer_dns_name}:{port}"
        return apigateway.HttpIntegration(
            f"{origin}{path}",
            http_method=method,
            proxy=True,
            options=apigateway.IntegrationOptions(
                connection_type=None if self._link is None else apigateway.ConnectionType.VPC_LINK,
                vpc_link=self._link,
                request_parameters=request_parameters,
                cache_key_parameters=cache_key_parameters,
                timeout=Duration.seconds(15),  # the collector waits 10 s for Kinesis
            ),
        )


def _schema() -> apigateway.JsonSchema:
    """One event, or a list of them, as far as all types agree: the collector knows the rest."""
    text, kind = apigateway.JsonSchema, apigateway.JsonSchemaType
    event = text(
        type=kind.OBJECT,
        required=list(EVENT_FIELDS),
        properties={
            "type": text(type=kind.STRING, enum=list(KNOWN)),
            "user_id": text(type=kind.STRING, min_length=1, max_length=256),
            "session_id": text(type=kind.STRING, min_length=1, max_length=256),
            "occurred_at": text(type=kind.INTEGER, minimum=0),
        },
    )
    several = text(type=kind.ARRAY, items=event, min_items=1, max_items=EVENTS_PER_REQUEST)
    return text(schema=apigateway.JsonSchemaVersion.DRAFT4, one_of=[event, several])
