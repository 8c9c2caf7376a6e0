"""The drill's result for people (Markdown) and machines (JSON)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

import msgspec

from clickstream.load.verdict.comparers.compared import Compared
from tests.integration.drills.account import Account
from tests.integration.drills.drill import Outcome


def table(outcomes: Sequence[Outcome]) -> str:
    """One row per kind of fault: how often, and seconds until every shard moved again."""
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_kind[outcome.kind].append(outcome)
    rows = [
        "| fault | times | until all shards moved, median s | worst s | after the fault's end, worst s |",
        "|---|---|---|---|---|",
    ]
    for kind, of_kind in sorted(by_kind.items()):
        moved = [outcome.moved_s for outcome in of_kind]
        after_end = max(outcome.after_end_s for outcome in of_kind)
        rows.append(f"| {kind} | {len(of_kind)} | {median(moved):.1f} | {max(moved):.1f} | {after_end:.1f} |")
    return "\n".join(rows)


def told(account: Account) -> str:
    report = account.report
    lines = [
        f"sent {report['sent']:,} records, {account.events:,} events, {account.purchases:,} purchases; "
        f"{account.rejected} records were no events, {account.never_taken} effects are never taken; "
        f"{report['windows']} windows compared"
    ]
    for application, count in account.folded.items():
        letters = account.letters[application]
        part = report["applications"].get(application) or msgspec.to_builtins(account.compared.get(application, Compared()))
        lines.append(
            f"{application}: {count:,} events folded, lost {max(part['lost'], account.events - count)}, "
            f"doubled {max(part['duplicated'], count - account.events)}, wrong {part['wrong']}; "
            f"{letters.different} dead letters of records, {letters.effects} of effects, "
            f"{letters.missing} missing, {letters.strange} strange, {letters.repeated} repeated"
        )
    return "\n".join([*lines, *account.problems, "exact" if account.exact else "NOT exact"])


def as_json(outcomes: Sequence[Outcome], account: Account, *, seed: int, restarts_of_dead: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "exact": account.exact,
        "restarts_of_dead": restarts_of_dead,
        "account": msgspec.to_builtins(account),
        "faults": msgspec.to_builtins(list(outcomes)),
    }
