"""``clickstream load run``."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click
import msgspec

from clickstream.errors import UserMistake
from clickstream.load.driving.pace import now_ms
from clickstream.load.traffic.plan import MAX_RECORDS, MAX_SECONDS, Plan
from clickstream.load.traffic.profiles import PROFILES


@click.command(epilog="Profiles: " + "; ".join(f"{name}: {profile.about}" for name, profile in PROFILES.items()) + ".")
@click.option(
    "--rate", default=500.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Mean records per second."
)
@click.option(
    "--duration", default=60.0, show_default=True, type=click.FloatRange(0, MAX_SECONDS, min_open=True), help="Seconds."
)
@click.option(
    "--ramp", default=0.0, show_default=True, type=click.FloatRange(0), help="Seconds in which the rate grows to the full."
)
@click.option("--profile", default="steady", show_default=True, type=click.Choice(list(PROFILES)), help="The kind of day.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="The same seed is the same traffic.")
@click.option("--via", default="kinesis", show_default=True, type=click.Choice(["kinesis", "http"]), help="The way in.")
@click.option("--url", default="http://127.0.0.1:8081", show_default=True, help="The collector, for --via http.")
@click.option("--key", default="", help="The collector's API key, if it wants one.")
@click.option(
    "--processes", default=1, show_default=True, type=click.IntRange(1, 64), help="Senders side by side; each takes a core."
)
@click.option(
    "--trace",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Arrivals as recorded, a number for each second (plain, bz2, or in a tar), in place of --rate.",
)
@click.option(
    "--times", default=1.0, show_default=True, type=click.FloatRange(0, min_open=True), help="The trace's rate, so many times."
)
@click.option("--faults/--no-faults", default=True, show_default=True, help="Everything that goes wrong on purpose.")
@click.option("--ledger", type=click.Path(dir_okay=False, path_type=Path), help="Where to write what must come out.")
@click.option("--no-ledger", is_flag=True, help="Keep no account: for runs that nobody will verify.")
@click.option(
    "--hdr-log", type=click.Path(dir_okay=False, path_type=Path), help="Latencies per second in the format of HdrHistogram."
)
@click.option(
    "--max-records",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(1, MAX_RECORDS),
    help="Never send more than so many records.",
)
@click.option("--allow-remote", is_flag=True, help="Permit a stream, or a collector, that is not on this machine.")
@click.option("--dry-run", is_flag=True, help="Print the records as NDJSON instead of sending them.")
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object on stdout.")
def run(
    rate: float,
    duration: float,
    ramp: float,
    profile: str,
    seed: int,
    via: str,
    url: str,
    key: str,
    processes: int,
    trace: Path | None,
    times: float,
    faults: bool,
    ledger: Path | None,
    no_ledger: bool,
    hdr_log: Path | None,
    max_records: int,
    allow_remote: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Generated visitors, open loop: every record leaves at its intended time, and latency is measured from there.

    \b
    Examples:
      clickstream load run --rate 2000 --duration 120 --profile black-friday --seed 7
      clickstream load run --via http --rate 500 --hdr-log latency.hlog
      clickstream load verify
    """
    plan = Plan(
        rate=rate,
        duration_s=duration,
        ramp_s=ramp,
        seed=seed,
        profile=profile,
        faults=faults,
        max_records=max_records,
        is_checked_at_the_door=via == "http",
    )
    if trace is not None:
        from clickstream.load.driving.traces import read

        counts = read(trace, int(duration) + 1)
        mean = max(sum(counts) / len(counts) * times, 1.0)
        plan = msgspec.structs.replace(plan, rate=mean, trace=tuple(counts), trace_times=times)
    # the command's other imports cost 0.3 s, which a dry run does not pay
    from clickstream.load.driving import report, runs

    if dry_run:
        runs.print_records(plan, now_ms())
        return
    from clickstream.aws import Clients
    from clickstream.load.driving.driver import require_loopback
    from clickstream.load.driving.senders import Route
    from clickstream.load.driving.siege import Siege
    from clickstream.load.verdict import subjects
    from clickstream.load.verdict.derivation import ledger_of
    from clickstream.load.verdict.ledger import Door
    from clickstream.settings import from_env

    settings = from_env()
    route = Route(url=url if via == "http" else "", key=key)
    require_loopback(route.endpoint(settings), allow_remote=allow_remote, otherwise=f"AWS in {settings.region}")
    if no_ledger and ledger is not None:
        raise UserMistake("--ledger and --no-ledger contradict each other")
    path = None if no_ledger else ledger or settings.local_dir / "ledger.json"
    clients = Clients(settings)
    before = {} if path is None else subjects.counted(clients, settings)
    epochs = {} if path is None else subjects.epochs(clients, settings)
    keep = runs.Keep(events=path is not None, seconds=hdr_log is not None)
    siege = Siege(settings, url, key, now_ms) if plan.is_hostile else None
    with siege.laid() if siege is not None else nullcontext():
        sent, started_ms = runs.run(plan, settings, route, keep=keep, processes=processes, now_ms=now_ms)
    if siege is not None:
        sent = report.joined([sent, siege.report()])
    flushed_ms = now_ms()
    if path is not None:
        ledger_of(
            sent.log,
            plan,
            stream=settings.stream,
            started_ms=started_ms,
            flushed_ms=flushed_ms,
            put=sent.put,
            refused=sent.refused,
            before=before,
            epochs=epochs,
            door=Door() if siege is None else siege.door,
        ).write(path)
        click.echo(f"ledger: {path}", err=True)
    if hdr_log is not None:
        report.write_hdr_log(hdr_log, sent, started_ms)
    click.echo(msgspec.json.encode(report.summary(sent)).decode() if as_json else report.text(sent))
    if sent.failed:
        raise click.exceptions.Exit(1)
    if sent.interrupted:
        raise click.exceptions.Exit(130)
