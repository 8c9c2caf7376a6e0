"""Who may do what: roles by the access key that a request is signed with. Pure.

A role's access key is ``NAME.ROLE``: the deployment's name (``CLICKSTREAM_NAME``) and the role's own. Any other key is the
administrator's, which may do everything. Policies come from infra.permissions, with ``{name}`` for the deployment's name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from clickstream.infra.local.account import ACCOUNT
from clickstream.infra.local.gate.actions import Need

#: Stands for the deployment's name in the policies.
PLACEHOLDER = "{name}"


class Principal(NamedTuple):
    """A deployment's role."""

    deployment: str
    role: str

    @property
    def arn(self) -> str:
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.deployment}-{self.role}/{self.role}"


class Statement(NamedTuple):
    """These actions are allowed on this resource, under these conditions."""

    actions: tuple[str, ...]
    resource: str
    conditions: Mapping[str, Mapping[str, str]]


class Policies:
    """Every role's statements."""

    def __init__(self, statements: Mapping[str, Iterable[Statement]]) -> None:
        self._statements = {role: tuple(each) for role, each in statements.items()}

    @classmethod
    def read(cls, text: str) -> Policies:
        """As :mod:`clickstream.infra.local.roles` writes them."""
        return cls({role: [Statement(tuple(a), r, c) for a, r, c in rows] for role, rows in json.loads(text).items()})

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(self._statements)

    def knows(self, principal: Principal) -> bool:
        return principal.role in self._statements

    def allows(self, principal: Principal, need: Need, context: Mapping[str, str]) -> bool:
        return any(
            need.action in statement.actions
            and _matches(need.resource, statement.resource.replace(PLACEHOLDER, principal.deployment))
            and _hold(statement.conditions, context, principal.deployment)
            for statement in self._statements[principal.role]
        )


def principal(access_key: str) -> Principal | None:
    """The role that this key belongs to; None for the administrator's key."""
    deployment, dot, role = access_key.rpartition(".")
    return Principal(deployment, role) if dot else None


def _matches(resource: str, pattern: str) -> bool:
    return fnmatchcase(resource, pattern.replace("[", "[[]"))


def _hold(conditions: Mapping[str, Mapping[str, str]], context: Mapping[str, str], deployment: str) -> bool:
    """``StringEquals`` is the only operator that clickstream.infra.permissions uses; any other never holds."""
    return all(
        operator == "StringEquals" and context.get(key) == wanted.replace(PLACEHOLDER, deployment)
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )
