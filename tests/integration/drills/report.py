"""The drill's result for people (Markdown) and machines (JSON)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

import msgspec

from tests.integration.drills.account import Account
from tests.integration.drills.drill import Outcome


def table(outcomes: Sequence[Outcome]) -> str:
    """One row per kind of fault: how often, and seconds until every shard moved again."""
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_kind[outcome.kind].append(outcome)
    rows = [
        "| fault | times | until all shards moved, median s | worst s | after the repair, worst s |",
        "|---|---|---|---|---|",
    ]
    for kind, of_kind in sorted(by_kind.items()):
        moved = [outcome.moved_s for outcome in of_kind]
        settled = max(outcome.settled_s for outcome in of_kind)
        rows.append(f"| {kind} | {len(of_kind)} | {median(moved):.1f} | {max(moved):.1f} | {settled:.1f} |")
    return "\n".join(rows)


def told(account: Account) -> str:
    report = account.report
    letters = "; ".join(
        f"{application}: {count:,} events folded, {each.different} dead letters, "
        f"{each.missing} missing, {each.strange} strange, {each.repeated} messages repeated"
        for application, count in account.folded.items()
        for each in (account.letters[application],)
    )
    return (
        f"sent {report['sent']:,} records, {account.events:,} events, "
        f"lost {report['lost']}, duplicated {report['duplicated']}, "
        f"{report['windows']} windows compared, {report['wrong']} aggregates wrong; {account.purchases:,} purchases, "
        f"{account.undecided} undecided, {account.invented} decisions invented; "
        f"{account.rejected} records were no events; "
        f"{letters}: " + ("exact" if account.exact else f"NOT exact: {report['problems']}")
    )


def as_json(outcomes: Sequence[Outcome], account: Account, *, seed: int, restarts_of_dead: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "exact": account.exact,
        "restarts_of_dead": restarts_of_dead,
        "account": msgspec.to_builtins(account),
        "faults": msgspec.to_builtins(list(outcomes)),
    }
