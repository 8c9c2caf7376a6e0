"""``python -m tests.integration.drills --faults 100 --seed 1``: real faults, one after the other, over one continuous load.

A line per fault on stderr; at the end the table (Markdown) on stderr and one JSON object on stdout. Exit code 0 only if
nothing was lost, doubled or wrong, and no process ended because something was not allowed. ``--only`` takes kinds by a part of
their names.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from clickstream.settings import from_env
from tests.integration.drills import report
from tests.integration.drills.account import settle
from tests.integration.drills.drill import Outcome, run, sequence
from tests.integration.drills.faults import FAULTS
from tests.integration.drills.rig.site import APPLICATIONS, opened


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.drills", description=__doc__)
    parser.add_argument("--faults", type=int, default=100, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="the same seed is the same sequence")
    parser.add_argument("--only", default="", help="kinds, separated by commas; a part of a name is enough")
    parser.add_argument("--rate", type=float, default=150.0, help="records a second")
    parser.add_argument("--applications", default=",".join(APPLICATIONS), help="separated by commas; analytics among them")
    parser.add_argument("--folder", type=Path, help="logs and state; default: drills in the local directory")
    parser.add_argument("--refusals", type=float, nargs=2, default=(20.0, 90.0), metavar="S", help="shortest and longest")
    options = parser.parse_args(arguments)
    kinds = [kind for kind in FAULTS if not options.only or any(part in kind for part in options.only.split(","))]
    if not kinds:
        parser.error(f"--only must match some of: {', '.join(FAULTS)}")
    home = from_env().local_dir.absolute()
    folder = (options.folder or home / "drills").absolute()
    applications = options.applications.split(",")
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {line}", file=sys.stderr, flush=True)  # noqa: T201  progress

    def tell(outcome: Outcome) -> None:
        say(
            f"{outcome.number:3}  {outcome.kind:22} {outcome.what:45} moved after {outcome.moved_s:5.1f} s, "
            f"after its end {outcome.after_end_s:5.1f} s{'' if outcome.staffed else '; a worker still has no shard'}"
        )

    # an end in order for a polite signal too: a worker that a fault has stopped would not hear its own
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    where = opened(
        folder,
        home=home,
        rate=options.rate,
        seed=options.seed,
        applications=applications,
        refusals_s=tuple(options.refusals),
    )
    with where as site:
        say(f"ready, logs in {folder}")
        outcomes = run(site, list(sequence(kinds, options.faults, options.seed)), seed=options.seed, tell=tell)
        account = settle(site)
        restarts = site.restarts_of_dead
    print(report.table(outcomes), file=sys.stderr)  # noqa: T201  for people
    say(report.told(account))
    result = report.as_json(outcomes, account, seed=options.seed, restarts_of_dead=restarts)
    print(json.dumps(result))  # noqa: T201  the result
    return 0 if account.exact else 1


if __name__ == "__main__":
    sys.exit(main())
