"""``clickstream explain``: one event's whole life."""

import time

import click

from clickstream.serving.api.command_line import Id


@click.command()
@click.argument("event_id", type=Id())
@click.option("--user", type=Id(), metavar="USER_ID", help="Reads only the shards where this user's events can be.")
@click.option("--since", help='Arrived since: ISO time or an age ("2h ago"); default: around the time in the id.')
@click.option("--until", help="Arrived until; the same forms. [default with --since: now]")
@click.option(
    "--within", "within_s", type=click.FloatRange(min=0.1), default=300, show_default=True, help="Search for so long (s)."
)
@click.option("--no-letters", is_flag=True, help="Leave the dead-letter queue alone: reading it takes a second.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def explain(
    event_id: str, user: str | None, since: str | None, until: str | None, within_s: float, no_letters: bool, as_json: bool
) -> int:
    """One event's whole life: made, put, processed by each application, decided, dead-lettered, ordered.

    A UUIDv7 holds its time, so only what arrived around it is read; any other id needs --since, or is searched for in all
    that the stream keeps, for as long as --within says; Ctrl-C ends it too. Exit code 1: it is nowhere in what was searched.

    \b
    With --json: {"event_id", "made_at", "type", "user_id", "session_id", "occurred_at", "trace_id", "searched",
      "shards_searched", "not_searched", "puts", "applications", "letters", "order"}; times in ms since the epoch
      not_searched   {"shard", "since"}: what arrived since then was not read when the time was up; null: all of it
      puts           {"shard", "sequence_number", "sub_sequence_number", "arrived_at", "members", "fate", ...}
      applications   {"application", "state", "position", "committed", "effect", "latency_ms", ...}
      letters        what waits in the dead-letter queue; null with --no-letters

    \b
    Example:
      clickstream explain 0193f0a2-7c1e-7d3b-9a41-5f2c8e6b7d10
      clickstream explain order-page-17 --user u000123 --since "2h ago" --json
    """
    from clickstream.aws import Clients
    from clickstream.consumers.explain.views import Explainer, Limit, Stretch
    from clickstream.serving.pages.explain import life as life_text
    from clickstream.settings import from_env
    from clickstream.terminal import json_line, parse_moment, shown

    now_ms = time.time_ns() // 1_000_000
    within = Stretch(*(parse_moment(each, now_ms) if each else None for each in (since, until))) if since or until else None
    settings = from_env()
    life = Explainer(Clients(settings), settings).life(
        event_id, limit=Limit(within_s), user_id=user, within=within, with_letters=not no_letters
    )
    found = bool(life.puts or life.letters or life.occurred_at)
    if as_json:
        click.echo(json_line(life))
    else:
        click.echo(shown(life_text.head(life)))
        steps = list(life_text.lines(life))
        width = max((len(when) for when, _ in steps), default=0)
        for when, what in steps:
            click.echo(shown(f"  {when:<{width}}  {what}"))
    if not found:
        click.echo("hint: --since and --until search elsewhere; the stream keeps what its retention says", err=True)
    return 0 if found else 1
