"""Least privilege, judged by what the programs were seen to call: tests/infra/recorded/calls.json, by tests.infra.recording."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from clickstream.infra import permissions
from clickstream.infra.stages import PRODUCTION, STAGING
from tests.infra.judging import PLATFORM, findings
from tests.infra.recording.operations import Call
from tests.infra.templates import Permission, Template
from tests.infra.templates import permissions as permissions_of

RECORDED = msgspec.json.decode((Path(__file__).parent / "recorded" / "calls.json").read_bytes(), type=dict[str, list[Call]])
PROGRAMS = sorted(role.name for role in permissions.roles(PRODUCTION.settings))
#: A permission on the right service that no program of ours needs.
EXTRA = [
    Permission("dynamodb:DeleteTable", "dynamodb:table/clickstream-shards"),
    Permission("kinesis:DeleteStream", "kinesis:stream/clickstream"),
    Permission("kinesis:DescribeStream", "kinesis:stream/clickstream"),
    Permission("s3:GetObject", "s3:clickstream-secrets/*"),
    Permission("s3:PutBucketPolicy", "*"),
    Permission("kms:Decrypt", "*"),
]


class Case(msgspec.Struct, frozen=True):
    """One program in one stage: what its role allows, what it called, and what it may need unseen."""

    stage: str
    allowed: frozenset[Permission]
    seen: tuple[Call, ...]
    unseen: frozenset[Permission]

    def findings(self, *, more: Permission | None = None, less: Permission | None = None) -> list[str]:
        """With the policy as it is, or with one permission more or less."""
        return findings((self.allowed | ({more} if more else set())) - ({less} if less else set()), self.seen, self.unseen)


@pytest.fixture(scope="session")
def cases(templates: dict[str, dict[str, Template]]) -> dict[str, list[Case]]:
    """Program → its cases."""
    found: dict[str, list[Case]] = {program: [] for program in PROGRAMS}
    for stage in (PRODUCTION, STAGING):
        prefix = stage.settings.name
        roles = {role.name: role for role in permissions.roles(stage.settings)}
        for program, allowed in permissions_of(templates[stage.name], prefix).items():
            seen = tuple(Call(call.action, call.resource.replace("{name}", prefix)) for call in RECORDED[program])
            found[program].append(Case(stage.name, frozenset(allowed), seen, _unseen(roles[program])))
    return found


def _unseen(role: permissions.Role) -> frozenset[Permission]:
    assert all(grant.reason for grant in role.unseen)
    return frozenset(
        Permission(
            action, grant.resource, msgspec.json.encode(grant.conditions, order="sorted").decode() if grant.conditions else ""
        )
        for grant in role.unseen
        for action in grant.actions
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_may_do_what_it_was_seen_to_do_and_no_more(program: str, cases: dict[str, list[Case]]) -> None:
    assert cases[program], "no stack runs it"
    for case in cases[program]:
        assert case.findings() == [], case.stage


@pytest.mark.parametrize("program", PROGRAMS)
def test_one_action_too_few_is_found(program: str, cases: dict[str, list[Case]]) -> None:
    """Whichever permission that a program used is taken away, the judge names it."""
    for case in cases[program]:
        used = [entry for entry in case.allowed if entry not in case.unseen and entry.action not in PLATFORM]
        used += [entry for entry in case.allowed if entry.action in {call.action for call in case.seen} & PLATFORM.keys()]
        assert {call.action for call in case.seen} == {entry.action for entry in used} or program.startswith("order-")
        for entry in used:
            lines = case.findings(less=entry)
            assert [line for line in lines if line.startswith(f"too narrow: {entry.action} ")], entry


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("extra", EXTRA, ids=lambda extra: f"{extra.action} on {extra.resource}")
def test_one_action_too_many_is_found(program: str, extra: Permission, cases: dict[str, list[Case]]) -> None:
    for case in cases[program]:
        assert [line for line in case.findings(more=extra) if line.startswith(f"too wide: {extra.action} ")]


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_same_action_on_everything_is_found(program: str, cases: dict[str, list[Case]]) -> None:
    for case in cases[program]:
        for entry in case.allowed:
            if entry.resource != "*":
                lines = case.findings(less=entry, more=Permission(entry.action, "*"))
                assert [line for line in lines if line.startswith(f"too wide: {entry.action} ")], entry
