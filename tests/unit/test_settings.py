from __future__ import annotations

import os
import urllib.request
from pathlib import Path

import boto3
import pytest

from clickstream.aws import Clients
from clickstream.consumers.analytics.needs import AGGREGATES
from clickstream.consumers.archive.views import Archive
from clickstream.consumers.runtime.worker.properties import ShardProcesses, WorkerPlan, derive
from clickstream.errors import UserMistake
from clickstream.platform import DEAD_LETTERS, SHARDS, STATE
from clickstream.settings import Settings, child_environment, environment, from_env


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


@pytest.mark.parametrize("name", ["", "My_Shop", "shop-", "-shop", "shop.eu", "s" * 31])
def test_a_name_that_aws_refuses_for_any_resource_is_refused_first(name: str) -> None:
    with pytest.raises(UserMistake, match="CLICKSTREAM_NAME") as caught:
        from_env({"CLICKSTREAM_NAME": name})
    assert "small letters" in caught.value.hint


CONFIG = """
[default]
region = eu-west-1
[profile shop]
region = eu-west-3
endpoint_url = http://127.0.0.1:1
services = of-the-shop
[services of-the-shop]
kinesis =
  endpoint_url = http://127.0.0.1:2
sfn =
  endpoint_url = http://127.0.0.1:3
"""


def test_every_client_goes_where_the_profile_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3's own reading of the same files is the oracle; KCL's properties and SQL's S3 follow it."""
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "credentials").write_text("[shop]\naws_access_key_id = k\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    assert from_env().region == boto3.Session().region_name == "eu-west-1"
    monkeypatch.setenv("AWS_PROFILE", "shop")
    settings, theirs = from_env(), boto3.Session()
    for service in ("kinesis", "dynamodb", "stepfunctions"):
        ours = getattr(Clients(settings), service).meta
        expected = theirs.client(service).meta
        assert (ours.endpoint_url, ours.region_name) == (expected.endpoint_url, expected.region_name)
    properties = derive(WorkerPlan(application="a", worker_id="w", shards=ShardProcesses(command=("/bin/true",))), settings)
    assert properties["regionName"] == "eu-west-3"
    assert properties["kinesisEndpoint"] == "http://127.0.0.1:2"
    assert properties["dynamoDBEndpoint"] == "http://127.0.0.1:1"
    connection = Archive(Clients(settings), settings)._connection()
    assert (connection["endpoint_override"], connection["region"]) == ("127.0.0.1:1", "eu-west-3")
    child = environment(settings)
    assert environment(from_env(child)) == child
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_DEFAULT_PROFILE", "shop")
    assert from_env() == settings


def test_variables_come_before_the_profile(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(CONFIG)
    around = {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_PROFILE": "shop"}
    assert from_env(around | {"AWS_REGION": "us-west-2"}).region == "us-west-2"
    assert from_env(around | {"AWS_ENDPOINT_URL": "http://here"}).endpoint("kinesis") == "http://here"
    assert from_env(around | {"AWS_ENDPOINT_URL_KINESIS": "http://here"}).endpoint("dynamodb") == "http://127.0.0.1:1"
    ignoring = from_env(around | {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL": "http://here"})
    assert (ignoring.endpoint("kinesis"), ignoring.region) == (None, "eu-west-3")
    (tmp_path / "config").write_text("region = [")
    with pytest.raises(UserMistake, match="config"):
        from_env(around)


@pytest.mark.parametrize(
    ("around", "past"),
    [
        ({}, None),
        ({"http_proxy": "http://proxy"}, "localhost,127.0.0.1,::1"),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "shop.example,localhost"}, "shop.example,localhost,127.0.0.1,::1"),
        ({"all_proxy": "http://proxy", "no_proxy": "*"}, "*"),
    ],
)
def test_no_proxy_is_asked_for_this_machine(around: dict[str, str], past: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "")  # so that what from_env sets is taken back
        monkeypatch.delenv(name)
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    from_env()
    assert os.environ.get("no_proxy") == past
    assert bool(around) == bool(urllib.request.proxy_bypass("127.0.0.1"))


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


def test_aws_descriptions_of_its_services_are_read_once_a_process() -> None:
    settings = Settings(credentials=("k", "s"), region="eu-west-1")
    one, other = (Clients(settings).kinesis.meta.service_model for _ in range(2))
    assert one is not other
    assert vars(one)["_service_description"] is vars(other)["_service_description"]
