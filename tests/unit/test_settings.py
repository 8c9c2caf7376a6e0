from __future__ import annotations

from pathlib import Path

import pytest

from clickstream.consumers.analytics.needs import AGGREGATES
from clickstream.errors import UserMistake
from clickstream.platform import DEAD_LETTERS, SHARDS, STATE
from clickstream.settings import Settings, child_environment, from_env


def test_an_empty_environment_gives_the_defaults() -> None:
    assert from_env({}) == Settings()


@pytest.mark.parametrize(
    ("environ", "region"),
    [
        ({}, "us-east-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-north-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
    ],
)
def test_region_as_in_the_aws_cli(environ: dict[str, str], region: str) -> None:
    assert from_env(environ).region == region


def test_a_services_endpoint_comes_before_the_general_one() -> None:
    settings = from_env({"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_KINESIS": "http://kinesis"})
    assert settings.endpoint("kinesis") == "http://kinesis"
    assert settings.endpoint("dynamodb") == "http://all"
    assert from_env({}).endpoint("kinesis") is None


def test_the_name_prefixes_every_resource() -> None:
    settings = from_env({"CLICKSTREAM_NAME": "shop"})
    assert settings.stream == "shop"
    assert SHARDS.of(settings) == "shop-shards"
    assert AGGREGATES.of(settings) == "shop-aggregates"
    assert STATE.of(settings) == "shop-state"
    assert DEAD_LETTERS.of(settings) == "shop-dead-letters"
    assert settings.application("analytics") == "shop-analytics"


def test_paths_and_java_home() -> None:
    settings = from_env({"CLICKSTREAM_LOCAL_DIR": "/tmp/here", "JAVA_HOME": "/opt/java"})
    assert (settings.local_dir, settings.java_home) == (Path("/tmp/here"), Path("/opt/java"))
    assert from_env({"JAVA_HOME": ""}).java_home is None


def test_credentials_are_never_taken_from_the_environment() -> None:
    assert from_env({"CLICKSTREAM_CREDENTIALS": "a,b"}).credentials is None


def test_an_unusable_value_names_its_field() -> None:
    with pytest.raises(UserMistake) as caught:
        from_env({"AWS_ENDPOINT_URL_S3": 5})  # type: ignore[dict-item]  # no text: what a wrong caller would pass
    assert "endpoint_urls" in str(caught.value)


def test_a_child_is_led_to_the_given_aws_and_no_other() -> None:
    around = {
        "PATH": "/bin",
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "token",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://elsewhere",
        "AWS_CA_BUNDLE": "/etc/ca.pem",
        "AWS_REGION": "eu-west-1",
    }
    assert child_environment({"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://here"}, around) == {
        "PATH": "/bin",
        "AWS_CA_BUNDLE": "/etc/ca.pem",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://here",
    }
