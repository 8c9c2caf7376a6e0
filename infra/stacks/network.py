"""The VPC: tasks stand in private subnets, and reach S3, DynamoDB and Kinesis without leaving it."""

from __future__ import annotations

from aws_cdk import Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from clickstream.infra.stacks.parts.exceptions import accept


class NetworkStack(Stack):
    """``vpc`` and ``cluster``."""

    def __init__(self, scope: Construct, name: str, *, env: Environment, cluster_name: str, nat_gateways: int) -> None:
        super().__init__(scope, name, env=env)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=nat_gateways,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="public", subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=False),
                ec2.SubnetConfiguration(name="private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            ],
            flow_logs={"Rejected": ec2.FlowLogOptions(traffic_type=ec2.FlowLogTrafficType.REJECT)},
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            },
        )
        # the stream's traffic would be the dear part of a NAT gateway's bill
        endpoint = self.vpc.add_interface_endpoint("Kinesis", service=ec2.InterfaceVpcEndpointAwsService.KINESIS_STREAMS)
        accept(endpoint, "EC23", "open to the VPC's own addresses, which the check cannot resolve")
        self.cluster = ecs.Cluster(
            self, "Cluster", cluster_name=cluster_name, vpc=self.vpc, container_insights_v2=ecs.ContainerInsights.ENABLED
        )
