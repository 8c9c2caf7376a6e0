"""The commands that read: ``clickstream serve``."""

from __future__ import annotations

import time
import webbrowser

import click

from clickstream.errors import UserMistake


@click.command(epilog="Example: clickstream serve --port 8081 --open")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
@click.option("--open", "browse", is_flag=True, help="Open the page in a browser.")
@click.option("--allow-remote", is_flag=True, help="Permit a --host that other machines can reach. There is no login.")
def serve(host: str, port: int, browse: bool, allow_remote: bool) -> None:
    """The HTTP API and the dashboard, until Ctrl-C or SIGTERM.

    \b
    /                  the page
    /v1/aggregates     ?granularity=minute|hour|day&from=&to=&top=
    /v1/progress       every application on every shard
    /v1/recommendations/USER_ID   ?count=&without=
    /v1/recommendations           ?viewed=&count=&without=
    /v1/explain/EVENT_ID   ?user=&letters=1; the same as a page: /explain?event=EVENT_ID
    /v1/live           server-sent events
    /healthz /readyz
    """
    # --help must not wait for the imports of a web server and of boto3
    from clickstream import aws, settings
    from consumers.analytics.views import Aggregates
    from consumers.explain.views import Explainer
    from consumers.recommendations.views import Recommendations
    from serving import server, tables
    from serving.app import create_app
    from serving.security import LOOPBACK_HOSTS

    local = server.is_loopback(host)
    if not local and not allow_remote:
        raise UserMistake(
            f"{host} can be reached from other machines, and the page has no login",
            hint="add --allow-remote if that is meant",
        )
    surroundings = settings.from_env()
    clients = aws.Clients(surroundings, attempts=2)
    tables.require(clients, surroundings)
    listener = server.listen(host, port)
    app = create_app(
        Aggregates(clients, surroundings),
        clock=lambda: time.time_ns() // 1_000_000,
        title=surroundings.name,
        hosts=LOOPBACK_HOSTS if local else None,
        offers=Recommendations(clients, surroundings),
        lives=Explainer(clients, surroundings),
    )
    address = server.url(listener)

    def announce() -> None:
        click.echo(f"serving on {address}", err=True)
        if browse:
            webbrowser.open(address)

    server.run(server.Server(app, on_ready=announce, on_stop=app.state.end_streams), listener)
