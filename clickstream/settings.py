"""Every environment variable the platform reads, in one place.

AWS variables mean what they mean to the AWS CLI; ours begin with ``CLICKSTREAM_``. Programs read them once, at their start,
with :func:`from_env`, and pass the value on: no other module touches ``os.environ``.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from clickstream.errors import UserMistake

DEFAULT_REGION = "us-east-1"

OrderWorkflow = Literal["choreography", "orchestration"]
Compression = Literal["zstd", "gzip", "ndjson"]
RecordFormat = Literal[Compression, "kpl"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a process needs to know of its surroundings."""

    name: str = "clickstream"
    """Prefix of every resource: the stream itself, tables, queues, buckets, KCL applications."""
    region: str = DEFAULT_REGION
    profile: str | None = None
    endpoint_url: str | None = None
    """``AWS_ENDPOINT_URL``: all services, unless a more specific variable names one."""
    endpoint_urls: dict[str, str] = {}
    """Service name in lower case (``kinesis``, ``dynamodb``, ``s3`` …) to its ``AWS_ENDPOINT_URL_<SERVICE>``."""
    datasets: Path = Path("../shared/data")
    """Real data for tests and evaluation (``CLICKSTREAM_DATASETS``)."""
    events: Path | None = None
    """A folder of JSON Schemas of a shop's own events (``CLICKSTREAM_EVENTS``); see docs/reference/own-events.md."""
    local_dir: Path = Path(".local")
    """Where the embedded AWS keeps its environment, logs and state (``CLICKSTREAM_LOCAL_DIR``)."""
    log_level: str = "WARNING"
    commit_s: float = 20.0
    """The longest that a busy shard's state waits to be durable (``CLICKSTREAM_COMMIT_S``): a crash repeats so much, rankings
    are as old, and dollars grow as it shrinks."""
    hung_after_s: float = 300.0
    """A shard's process that does not answer for so long is ended, unless a dependency fails (``CLICKSTREAM_HUNG_AFTER_S``)."""
    pollers: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many applications poll the stream and share its reads (``CLICKSTREAM_POLLERS``); 0: as many as are declared."""
    trace_sampling: float = 0.0
    """Share of the collector's requests that are traced, 0 to 1; 0 is off (``CLICKSTREAM_TRACE_SAMPLING``)."""
    otlp_endpoint: str = "http://127.0.0.1:4318"
    """Where spans go (``OTEL_EXPORTER_OTLP_ENDPOINT``): OTLP over HTTP, ``/v1/traces`` is added."""
    metrics: Literal["off", "emf"] = "off"
    """``emf``: workers log their metrics for CloudWatch once a minute (``CLICKSTREAM_METRICS``). Prometheus asks `serve`."""
    worker_id: str = ""
    """The KCL worker that a shard's process belongs to (``CLICKSTREAM_WORKER_ID``, set by the launcher)."""
    consumables: str = ""
    """Categories, comma-separated, whose products are offered again to who has bought them (``CLICKSTREAM_CONSUMABLES``)."""
    hash_key: str = ""
    """The secret behind the fingerprints of addresses and cards (``CLICKSTREAM_HASH_KEY``); empty: a file in ``local_dir``."""
    dashboard_token: str = ""
    """The token to log in to the dashboard with (``CLICKSTREAM_DASHBOARD_TOKEN``)."""
    collector_keys: str = '{"keys": []}'
    """``COLLECTOR_KEYS``: the content of the collector's file of clients' keys, which open recommendations too."""
    webhooks: str = "{}"
    """Where messages to webhooks go, a JSON object of names and URLs (``CLICKSTREAM_WEBHOOKS``); see :meth:`webhook`."""
    java_home: Path | None = None
    """``JAVA_HOME``: the Java runtime that KCL shall run on, before the one on the PATH."""
    records: RecordFormat = "zstd"
    """How events travel (``CLICKSTREAM_RECORDS``): lines of a block, compressed or plain, or in KPL aggregates."""
    order_workflow: OrderWorkflow = "choreography"
    """Who leads an order through its steps (``CLICKSTREAM_ORDER_WORKFLOW``): the steps' own messages, or a state machine."""
    autoscale: bool = False
    """Whether the scheduled auto-scaler changes shards (``CLICKSTREAM_AUTOSCALE``), or only says what it would do."""
    credentials: tuple[str, str] | None = None
    """Access key and secret for the embedded AWS, which takes any; None leaves the search to boto3."""

    @property
    def stream(self) -> str:
        return self.name

    @property
    def consumable_categories(self) -> frozenset[str]:
        return frozenset(filter(None, map(str.strip, self.consumables.split(","))))

    def application(self, app: str) -> str:
        """The KCL application's name, which is also its lease table's."""
        return f"{self.name}-{app}"

    def webhook(self, name: str) -> str:
        """The URL of a webhook; raises UserMistake, which does not tell URLs, since they may be secret."""
        try:
            url = msgspec.json.decode(self.webhooks, type=dict[str, str]).get(name, "")
        except msgspec.MsgspecError:
            url = ""
        if not _is_url(url) or not re.fullmatch("[!-~]+", url):
            hint = f'a JSON object like {{"{name}": "https://shop.example/told"}}'
            raise UserMistake(f"CLICKSTREAM_WEBHOOKS has no URL for {name}", hint)
        return url

    def endpoint(self, service: str) -> str | None:
        """The endpoint URL of a service (``kinesis``, ``dynamodb`` …), or None for AWS itself."""
        return self.endpoint_urls.get(service, self.endpoint_url)


def application_modules() -> tuple[str, ...]:
    """Modules with applications of others: ``CLICKSTREAM_APPLICATIONS``, separated by commas."""
    return tuple(filter(None, map(str.strip, os.environ.get("CLICKSTREAM_APPLICATIONS", "").split(","))))


def name_application(module: str) -> None:
    """Name one more of them, to this process and to those that it starts."""
    os.environ["CLICKSTREAM_APPLICATIONS"] = ",".join((*application_modules(), module))


def isolate_children() -> None:
    """As ``-P`` does for a Python whose command line is not ours: no file of the working directory stands for a library."""
    os.environ["PYTHONSAFEPATH"] = "1"


def events_folder(environ: Mapping[str, str] | None = None) -> Path | None:
    """``CLICKSTREAM_EVENTS`` alone: the events are read before any program has its settings."""
    folder = (os.environ if environ is None else environ).get("CLICKSTREAM_EVENTS")
    return Path(folder) if folder else None


#: Field → the variable that sets it; ``endpoint_urls`` and ``credentials`` have no one-line text form.
_VARIABLES = {
    **{
        name: f"CLICKSTREAM_{name.upper()}"
        for name in Settings.__struct_fields__
        if name not in ("region", "endpoint_urls", "credentials")
    },
    "profile": "AWS_PROFILE",
    "endpoint_url": "AWS_ENDPOINT_URL",
    "otlp_endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT",
    "collector_keys": "COLLECTOR_KEYS",
    "java_home": "JAVA_HOME",
}
_ENDPOINT_OF = "AWS_ENDPOINT_URL_"


def from_env(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; an unusable value is a :class:`UserMistake` that names the variable.

    Whoever reads this process's own never asks a proxy for this machine from then on, and neither do its children.
    """
    from clickstream.aws.profiles import configured  # not above: that package's clients are made of settings

    if environ is None:
        os.environ.update(_past_proxies(os.environ))
    env = os.environ if environ is None else environ
    values: dict[str, object] = {field: env[variable] for field, variable in _VARIABLES.items() if variable in env}
    profile = env.get("AWS_PROFILE") or env.get("AWS_DEFAULT_PROFILE")
    region, urls = configured(profile or "default", env)
    if "AWS_ENDPOINT_URL" in env:  # it comes before whatever a profile says
        urls = {"": env["AWS_ENDPOINT_URL"]}
    urls |= {name.removeprefix(_ENDPOINT_OF).lower(): url for name, url in env.items() if name.startswith(_ENDPOINT_OF)}
    if env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        urls = {}
    values |= {
        # boto3 ignores AWS_REGION while Java and ECS use it: both count here, and the clients get the result
        "region": env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or region or DEFAULT_REGION,
        "profile": profile or None,
        "endpoint_url": urls.get(""),
        "endpoint_urls": {service: url for service, url in urls.items() if service},
        "java_home": env.get("JAVA_HOME") or None,
        "events": events_folder(env),
    }
    try:
        settings = msgspec.convert(
            values, Settings, strict=False, dec_hook=lambda kind, value: kind(value) if kind is Path else value
        )
    except msgspec.ValidationError as error:
        reason, _, field = str(error).partition(" - at `$.")
        name = field.rstrip("`")
        variable = _VARIABLES.get(name, name)
        raise UserMistake(f"bad setting {variable}: {reason}", hint="see `clickstream --help` for the variables") from error
    if not _NAME.fullmatch(settings.name):
        hint = "like my-shop: 1 to 30 small letters, digits and dashes, no dash at an end, since S3 buckets begin with it"
        raise UserMistake(f"CLICKSTREAM_NAME cannot name AWS resources: {settings.name!r}", hint)
    url, share, level = "like http://127.0.0.1:4566", settings.trace_sampling, settings.log_level
    collector = settings.otlp_endpoint
    for variable, is_right, kind, value, hint in (
        *((f"{_ENDPOINT_OF}{service.upper()}".rstrip("_"), _is_url(at), "URL", at, url) for service, at in urls.items()),
        ("AWS_REGION", _REGION.fullmatch(settings.region), "region", settings.region, "like us-east-1"),
        ("CLICKSTREAM_TRACE_SAMPLING", 0.0 <= share <= 1.0, "share", share, "from 0 (off) to 1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", _is_url(collector), "URL", collector, "like http://127.0.0.1:4318"),
        ("CLICKSTREAM_LOG_LEVEL", level.upper() in LOG_LEVELS, "level", level, f"one of {', '.join(LOG_LEVELS)}"),
    ):
        if not is_right:
            elsewhere = ", or the profile's," if variable.startswith("AWS_") else ""
            raise UserMistake(f"{variable}{elsewhere} is no {kind}: {value!r}", hint)
    return settings


LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_REGION = re.compile(r"[a-zA-Z0-9-]{1,63}")
#: With a dash and an application's name (32 characters) it is an S3 bucket's, of 63.
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def _past_proxies(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that keep HTTP clients, Java's too, from asking a proxy for this machine; none without a proxy."""
    past = env.get("no_proxy") or env.get("NO_PROXY") or ""
    if past == "*" or not {"http_proxy", "https_proxy", "all_proxy"} & set(map(str.lower, env)):
        return {}
    past = ",".join(dict.fromkeys(filter(None, (*past.split(","), *_THIS_MACHINE))))
    return {"no_proxy": past, "NO_PROXY": past}


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a broken IPv6 address
        return False


def child_environment(overrides: Mapping[str, str], environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment for a child that must use the AWS of ``overrides`` and no other.

    Every other AWS variable that could lead it elsewhere (a profile, a session token, one service's endpoint) is left out.
    """
    env = os.environ if environ is None else environ
    return {name: value for name, value in env.items() if not name.startswith("AWS_") or name == "AWS_CA_BUNDLE"} | dict(
        overrides
    )


def environment(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """A child's environment: ours, with the variables from which :func:`from_env` makes the same settings again."""
    inherited = os.environ if environ is None else environ
    env = {name: value for name, value in inherited.items() if not name.startswith("AWS_ENDPOINT_URL")}
    for field, variable in _VARIABLES.items():
        value = getattr(settings, field)
        if value is not None:
            env[variable] = str(value.absolute() if isinstance(value, Path) else value)
    env |= {"AWS_REGION": settings.region, "AWS_DEFAULT_REGION": settings.region}
    env |= {f"{_ENDPOINT_OF}{service.upper()}": url for service, url in settings.endpoint_urls.items()}
    if settings.endpoint_url or settings.endpoint_urls:
        env.pop("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", None)
    if settings.credentials is not None:
        for elsewhere in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
            env.pop(elsewhere, None)
        env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = settings.credentials
    return env
