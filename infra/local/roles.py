"""Programs on the embedded AWS under their own roles: the credentials of each, and the policies that its servers enforce.

infra.permissions says what a role may do; here it only becomes what the gate reads (infra.local.gate.policies).
"""

from __future__ import annotations

import json

import msgspec

from clickstream.aws import Clients
from clickstream.infra import permissions
from clickstream.infra.local import resources
from clickstream.infra.local.gate.policies import PLACEHOLDER
from clickstream.settings import Settings

_SECRET = "test"


def access_key(deployment: str, role: str) -> str:
    """The key that tells the gate whose role a request is signed with."""
    return f"{deployment}.{role}"


def credentials(deployment: str, role: str) -> tuple[str, str]:
    """Access key and secret."""
    return access_key(deployment, role), _SECRET


def under(settings: Settings, role: str) -> Settings:
    """The same settings with this role's credentials, for the program whose role it is."""
    return msgspec.structs.replace(settings, credentials=credentials(settings.name, role))


def variables(deployment: str, role: str) -> dict[str, str]:
    """The same for a child's environment."""
    key, secret = credentials(deployment, role)
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}


def prepared(settings: Settings, application: str) -> Settings:
    """:func:`under`, for a worker that may find its tables missing otherwise."""
    resources.create_lease_tables(Clients(settings), settings, application)
    return under(settings, application)


def policies() -> str:
    """Every role's statements as JSON, for any deployment."""
    roles = permissions.roles(Settings(name=PLACEHOLDER))
    return json.dumps(
        {
            role.name: [[grant.actions, grant.resource, grant.conditions] for grant in (*role.seen, *role.unseen)]
            for role in roles
        }
    )
