"""What a worker's KCL is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickstream.consumers.runtime.worker import java
from clickstream.consumers.runtime.worker.properties import (
    MOST_RECORDS,
    Retrieval,
    ShardProcesses,
    WorkerPlan,
    derive,
    executable_name,
    is_local,
    parse,
    render,
)
from clickstream.errors import UserMistake
from clickstream.settings import Settings

LOCAL = Settings(endpoint_url="http://127.0.0.1:4566")
AWS = Settings(region="eu-central-1")

#: Reads a .properties file as KCL does and prints it as JSON, every character escaped: the one who decides on our escapes.
ECHO = """
import java.nio.file.*; import java.util.*;
public class Echo {
  static String quoted(String s) {
    StringBuilder b = new StringBuilder("\\"");
    for (char c : s.toCharArray()) b.append(String.format("\\\\u%04x", (int) c));
    return b.append("\\"").toString();
  }
  public static void main(String[] a) throws Exception {
    Properties p = new Properties();
    p.load(Files.newInputStream(Path.of(a[0])));
    StringJoiner j = new StringJoiner(",", "{", "}");
    for (String k : p.stringPropertyNames()) j.add(quoted(k) + ":" + quoted(p.getProperty(k)));
    System.out.println(j);
  }
}
"""


def derived(
    settings: Settings, retrieval: Retrieval = "polling", max_records: int = MOST_RECORDS, pollers: int = 1
) -> dict[str, str]:
    plan = WorkerPlan(
        application="shop-analytics",
        worker_id="shop-analytics-1",
        shards=ShardProcesses(command=("/opt/python", "-m", "child")),
        retrieval=retrieval,
        max_records=max_records,
        pollers=pollers,
    )
    return derive(plan, settings)


def test_both_endpoints_follow_the_settings() -> None:
    settings = Settings(endpoint_url="http://127.0.0.1:4566", endpoint_urls={"kinesis": "http://127.0.0.1:4567"})
    properties = derived(settings)
    assert properties["kinesisEndpoint"] == "http://127.0.0.1:4567"
    assert properties["dynamoDBEndpoint"] == "http://127.0.0.1:4566"


def test_aws_itself_needs_no_endpoint_and_gets_metrics() -> None:
    properties = derived(AWS)
    assert "kinesisEndpoint" not in properties
    assert "dynamoDBEndpoint" not in properties
    assert properties["regionName"] == "eu-central-1"
    assert properties["metricsLevel"] == "SUMMARY"
    assert "shardSyncIntervalMillis" not in properties


def test_an_embedded_aws_gets_no_metrics_since_kcl_cannot_be_told_where_to() -> None:
    assert derived(LOCAL)["metricsLevel"] == "NONE"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:4566", True),
        ("http://ministack:4566", True),
        ("https://kinesis.eu-west-1.amazonaws.com", False),
        ("https://vpce-0a1b.kinesis.eu-west-1.vpce.amazonaws.com", False),
        ("https://kinesis.cn-north-1.amazonaws.com.cn", False),
        ("https://amazonaws.com.example.org", True),
    ],
)
def test_a_vpc_endpoint_is_still_aws(url: str, local: bool) -> None:
    assert is_local(Settings(endpoint_urls={"kinesis": url})) is local


def test_polling_is_said_with_its_limits() -> None:
    properties = derived(LOCAL, max_records=500)
    assert properties["retrievalMode"] == "POLLING"
    assert properties["idleTimeBetweenReadsInMillis"] == "250"
    assert properties["maxRecords"] == "500"


@pytest.mark.parametrize("pollers", [1, 2, 3, 5, 6, 20])
def test_those_who_poll_leave_one_of_a_shards_five_reads_a_second(pollers: int) -> None:
    pause_s = int(derived(LOCAL, pollers=pollers)["idleTimeBetweenReadsInMillis"]) / 1000
    assert pollers / pause_s == 4


def test_fan_out_names_its_consumer_after_the_application_and_sets_no_polling_property() -> None:
    properties = derived(LOCAL, "fanout")
    assert properties["retrievalMode"] == "FANOUT"
    assert properties["fanoutConfig.consumerName"] == "shop-analytics"
    assert not {"idleTimeBetweenReadsInMillis", "maxRecords"} & properties.keys()


def test_credentials_are_never_among_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(variable, f"canary-{variable}")
    assert "canary" not in render(derived(LOCAL))


def test_a_drain_gets_time_and_the_idle_tick_is_on() -> None:
    properties = derived(LOCAL)
    assert int(properties["shutdownGraceMillis"]) >= 30_000
    assert properties["callProcessRecordsEvenForEmptyRecordList"] == "true"
    # with KCL's range filter on, a failing ListShards makes KCL skip a batch: docs/decisions/0009
    assert properties["skipShardSyncAtWorkerInitializationIfLeasesExist"] == "true"


texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(texts.filter(bool), texts))
def test_parse_reads_what_render_wrote(properties: dict[str, str]) -> None:
    assert parse(render(properties)) == properties


@pytest.mark.java
def test_java_reads_what_render_wrote(tmp_path: Path) -> None:
    binary = java.find(Settings())
    modules = subprocess.run([binary, "--list-modules"], capture_output=True, text=True, check=True).stdout
    if "jdk.compiler" not in modules:
        pytest.skip("this Java cannot run a source file")
    properties = {
        "plain": "value",
        "blanks and = : # !": "  leading, inner  and trailing \t ",
        "path": "C:\\Users\\Zoë\\python.exe",
        "lines": "one\ntwo\r\nthree\f",
        "wide": "🛒 \x00 \x7f \u2028",
        "empty": "",
    }
    (tmp_path / "Echo.java").write_text(ECHO)
    (tmp_path / "worker.properties").write_text(render(properties), encoding="ascii")
    said = subprocess.run(
        [binary, tmp_path / "Echo.java", tmp_path / "worker.properties"], capture_output=True, text=True, check=True
    )
    assert json.loads(said.stdout) == properties


def test_a_person_may_write_as_java_allows() -> None:
    text = "# comment\n! another\n\n  maxRecords : 500\nmetricsLevel\tNONE\nlong = one \\\n   two\nempty=\n"
    assert parse(text) == {"maxRecords": "500", "metricsLevel": "NONE", "long": "one two", "empty": ""}


def test_a_broken_escape_is_shown() -> None:
    with pytest.raises(UserMistake, match=r"broken escape.*\\u12"):
        parse("fine=1\nkey=\\u12\n")


def test_a_plain_command_stays_readable() -> None:
    assert executable_name(["/usr/bin/python3", "-m", "child", "analytics"]) == "/usr/bin/python3 -m child analytics"


@pytest.mark.parametrize("folder", ["My Shop", "Zoë's  'quoted' $HOME `x` \\n %s"])
def test_an_interpreter_in_a_folder_with_blanks_is_started_all_the_same(tmp_path: Path, folder: str) -> None:
    home = tmp_path / folder
    home.mkdir()
    (home / "python").symlink_to(sys.executable)
    said = "import sys; print(sys.argv[1:])".replace(" ", "\t")
    command = executable_name([str(home / "python"), "-c", said, "a b", "", "ç%d"])
    # KCL splits at white space and nothing else
    ran = subprocess.run(command.split(), capture_output=True, text=True, check=True)
    assert ran.stdout == "['a b', '', 'ç%d']\n"
