"""``clickstream serve``."""

from __future__ import annotations

import secrets
import time
import webbrowser
from functools import partial
from typing import TYPE_CHECKING

import click

from clickstream.errors import UserMistake

if TYPE_CHECKING:
    from clickstream.aws import Clients
    from clickstream.settings import Settings

#: Requests under way have this long (s) when the end has begun; open streams are ended at once.
_DRAIN_S = 10


@click.command(epilog="Example: clickstream serve --port 8090 --open")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one."
)
@click.option("--open", "browse", is_flag=True, help="Open the dashboard in a browser.")
@click.option("--allow-remote", is_flag=True, help="Permit a --host that other machines can reach; then a login is needed.")
@click.option("--login", is_flag=True, help="Need a login on loopback too.")
def serve(host: str, port: int, browse: bool, allow_remote: bool, login: bool) -> None:
    """The HTTP API and the dashboard, until Ctrl-C or SIGTERM.

    \b
    / /fraud /recommendations /explain /pipeline /own   the pages, the last for applications of your own; /api describes the API
    /v1/aggregates     ?granularity=minute|hour|day&from=&to=&top=
    /v1/progress       every application on every shard
    /v1/fraud/decided  /v1/fraud/alerts  /v1/decisions/EVENT_ID
    /v1/fraud/reviews  POST: what a person does about a decision
    /v1/recommendations/USER_ID   ?count=&without=
    /v1/recommendations           ?viewed=&count=&without=
    /v1/own/APPLICATION/TABLE     ?from=&to=&key=&order=&limit=
    /v1/explain/EVENT_ID   ?user=; as a page /explain?event=EVENT_ID, or ?order=ORDER_ID
    /v1/live/PAGE      server-sent events
    /v1/openapi.json   /healthz /readyz
    /metrics           for Prometheus: one series per application and shard

    On this machine nobody logs in, unless --login is given or CLICKSTREAM_DASHBOARD_TOKEN is set, the token to log in with;
    --login alone makes one and shows it on stderr. An address that others can reach needs the variable, and a proxy with TLS
    in front, since the token travels over plain HTTP.

    A shop's server reads /v1/recommendations/USER_ID without a login: it sends a key of the collector's as X-API-Key, and
    COLLECTOR_KEYS holds the content of the collector's file of keys.
    """
    # --help must not wait for the imports of a web server and of boto3
    from clickstream import aws, settings
    from clickstream.answers.reading import Answers
    from clickstream.consumers.analytics.views import Aggregates
    from clickstream.consumers.dead_letters.views import look
    from clickstream.consumers.explain.views import Explainer
    from clickstream.consumers.fraud.views import Decisions
    from clickstream.consumers.needs import short_applications
    from clickstream.consumers.recommendations.views import Recommendations
    from clickstream.serving.app import create_app
    from clickstream.serving.login import LEAST_CHARACTERS, client_keys
    from clickstream.telemetry import logs
    from clickstream.web.listening import LOOPBACK_NAMES, is_loopback, listen, url
    from clickstream.web.server import Server

    local = is_loopback(host)
    if not local and not allow_remote:
        hint = "add --allow-remote if that is meant; the pages then need a login"
        raise UserMistake(f"{host} can be reached from other machines", hint)
    surroundings = settings.from_env()
    logs.to_stderr(surroundings.log_level)
    given = surroundings.dashboard_token
    if given and len(given) < LEAST_CHARACTERS:
        few = f"CLICKSTREAM_DASHBOARD_TOKEN has fewer than {LEAST_CHARACTERS} characters"
        raise UserMistake(few, "leave it out and add --login: one is made and shown")
    if not local and not given:
        hint = "set CLICKSTREAM_DASHBOARD_TOKEN to a secret of your own"
        raise UserMistake("an address that others can reach needs a login", hint)
    clients_of_ours = client_keys(surroundings.collector_keys)
    token = (given or secrets.token_urlsafe(24)) if login or given else None
    clients = aws.Clients(surroundings, attempts=2, validate=False)
    _require_tables(clients, surroundings)
    declared = short_applications()
    explainer = Explainer(clients, surroundings)
    listener = listen(host, port)
    app = create_app(
        Aggregates(clients, surroundings),
        clock=lambda: time.time_ns() // 1_000_000,
        title=surroundings.name,
        hosts=LOOPBACK_NAMES if local else None,
        offers=Recommendations(clients, surroundings),
        risk=Decisions(clients, surroundings),
        lives=explainer.life,
        placing=explainer.placing,
        letters=partial(look, clients, surroundings),
        own=Answers(clients, surroundings, declared) if declared else None,
        token=token,
        client_keys=clients_of_ours,
    )
    address = url(listener)

    def announce() -> None:
        click.echo(f"serving on {address}", err=True)
        if token is not None and not given:
            click.echo(f"the login's token: {token}", err=True)
        if browse:
            webbrowser.open(address)

    server = Server(app, drain_s=_DRAIN_S, lifespan="on", on_ready=announce, on_stop=app.state.end_streams)
    server.serve_until_signal(listener)


def _require_tables(clients: Clients, settings: Settings) -> None:
    """Once, before serving, so that a missing table is one line on stderr and not a notice on a page.

    Raises Missing, and RetryLater when DynamoDB cannot be asked.
    """
    from clickstream.consumers.analytics.needs import AGGREGATES
    from clickstream.failures.outages import asked
    from clickstream.platform import SHARDS

    place = settings.endpoint("dynamodb") or f"AWS in {settings.region}"
    for table in (SHARDS.of(settings), AGGREGATES.of(settings)):
        with asked("DynamoDB", f"table {table} on {place}"):
            clients.dynamodb.describe_table(TableName=table)
