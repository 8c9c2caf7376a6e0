"""What a child process is told of our settings is what it reads back."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from clickstream.settings import Settings, environment, from_env

ELSEWHERE = {
    "PATH": "/bin",
    "AWS_PROFILE": "other",
    "AWS_REGION": "us-west-2",
    "AWS_SESSION_TOKEN": "token",
    "AWS_ENDPOINT_URL_SQS": "http://other",
}


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(name="shop", region="eu-north-1", profile="prod", log_level="INFO", worker_id="w"),
        Settings(endpoint_url="http://all", endpoint_urls={"kinesis": "http://kinesis"}, java_home=Path("/opt/java")),
    ],
)
def test_a_child_reads_the_same_settings(settings: Settings) -> None:
    read = from_env(environment(settings, {"PATH": "/bin"}))
    assert read == msgspec.structs.replace(
        settings, datasets=settings.datasets.absolute(), local_dir=settings.local_dir.absolute()
    )


def test_the_rest_of_the_environment_is_inherited_but_no_other_endpoint() -> None:
    env = environment(Settings(region="eu-west-1"), ELSEWHERE)
    assert env["PATH"] == "/bin"
    assert env["AWS_SESSION_TOKEN"] == "token"
    assert from_env(env).endpoint("sqs") is None
    assert from_env(env).region == "eu-west-1"


def test_given_credentials_stand_alone() -> None:
    env = environment(Settings(credentials=("key", "secret")), ELSEWHERE)
    assert (env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]) == ("key", "secret")
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & env.keys()
