"""The Dockerfiles: what they promise, read from their text; and their steps, run in a clean directory."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from clickstream.aws import Clients
from clickstream.consumers.runtime.worker.java import REPLACEMENTS, class_path
from clickstream.infra.images import sbom
from clickstream.infra.images.rehearse import IMAGES, parse, rehearse
from clickstream.infra.local import resources, stack
from clickstream.infra.local.processes import wait_until
from clickstream.settings import Settings, child_environment

FOLDER = Path(__file__).parents[2] / "infra" / "images"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_two_stages_a_pinned_base_another_user_and_a_health_check(image: str) -> None:
    instructions = list(parse((FOLDER / f"{image}.Dockerfile").read_text()))
    names = [each.name for each in instructions]
    assert [each.value for each in instructions if each.name == "FROM"] == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]
    assert [each.value for each in instructions if each.name == "ARG"] == ["PYTHON_IMAGE"], "a default would be a tag"
    assert [each.value for each in instructions if each.name == "USER"] == ["10001:10001"]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert [each.value == "NONE" for each in instructions if each.name == "HEALTHCHECK"] == [image == "generator"]
    final = instructions[len(names) - names[::-1].index("FROM") :]
    assert not [each for each in final if each.name == "RUN" and "install" in each.value], "tools stay in the build stage"
    assert "/app/sbom.cdx.json ./" in " ".join(each.value for each in final)


def test_the_tool_that_installs_is_the_locked_one() -> None:
    lock = tomllib.loads((FOLDER.parents[1] / "uv.lock").read_text())
    (package,) = (each for each in lock["package"] if each["name"] == "uv")
    text = (FOLDER / "uv-requirements.txt").read_text()
    assert f"uv=={package['version']} " in text
    assert set(re.findall(r"sha256:[0-9a-f]{64}", text)) == {each["hash"] for each in [package["sdist"], *package["wheels"]]}


def test_kcls_jars_are_the_listed_ones() -> None:
    lines = (line.split() for line in (FOLDER / "jars.sha256").read_text().splitlines())
    listed = {name: digest for digest, name in lines}
    assert listed == {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in class_path() if jar != REPLACEMENTS}


def test_the_bill_of_materials_names_every_package_and_jar() -> None:
    bill = sbom.bill(Path(sys.prefix))
    purls = [component["purl"] for component in bill["components"]]
    assert len(purls) == len(set(purls))
    assert {f"pkg:generic/{jar.stem.rpartition('-')[0]}" for jar in class_path() if jar.stem.count("-") == 1} <= {
        purl.partition("@")[0] for purl in purls
    }
    hashes = {hashed["content"] for component in bill["components"] for hashed in component.get("hashes", [])}
    assert hashes >= {line.split()[0] for line in (FOLDER / "jars.sha256").read_text().splitlines()}
    assert {"pkg:pypi/amazon-kclpy", "pkg:pypi/msgspec", "pkg:pypi/boto3"} <= {purl.partition("@")[0] for purl in purls}


@pytest.mark.integration
@pytest.mark.timeout(900)
def test_the_collectors_image_is_built_runs_and_is_healthy(tmp_path: Path, local_aws: stack.Stack, settings: Settings) -> None:
    resources.create(Clients(settings), settings, shards=1)
    image = rehearse("collector", tmp_path / "image")
    assert image.user == "10001:10001"
    assert json.loads((image.workdir / "sbom.cdx.json").read_text())["bomFormat"] == "CycloneDX"
    assert not (image.workdir / ".uv").exists()
    assert not list(image.workdir.rglob("amazon_kclpy")), "a collector needs no KCL"
    (port,) = stack.claim((0, "--port"))
    environment = child_environment(
        local_aws.environment
        | image.variables
        | {
            "CLICKSTREAM_NAME": settings.name,
            "CLICKSTREAM_HASH_KEY": "0" * 32,
            "COLLECTOR_KEYS": '{"keys": []}',
            "COLLECTOR_HOST": "127.0.0.1",
        }
    )
    check = [*image.healthcheck[:-1], image.healthcheck[-1].replace("8081", str(port))]

    def healthy() -> bool:
        return subprocess.run(check, cwd=image.workdir, env=environment, check=False).returncode == 0

    assert not healthy()
    command = [*image.entrypoint, "--port", str(port)]
    with subprocess.Popen(command, cwd=image.workdir, env=environment, stderr=subprocess.PIPE) as process:
        try:
            wait_until(healthy, "the image's health check", time.monotonic() + 120, check=lambda: None)
            assert (image.workdir / ".local" / "collector-keys.json").stat().st_mode & 0o077 == 0
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
