"""Faults that are answers: a permission taken away, a key disabled, credentials that are no longer good, an item never taken.

While one lasts the shards that need the call must wait, visibly and without a process's end; the clock starts when it is over.
"""

from __future__ import annotations

import time
from random import Random

from clickstream.consumers.fraud.needs import DECISIONS
from clickstream.consumers.orders.needs import ORDERS
from clickstream.consumers.recommendations.needs import OFFERS
from clickstream.infra import permissions
from clickstream.infra.local import roles
from clickstream.infra.local.gate.faults import Fault as Refused
from tests.integration.drills import traffic
from tests.integration.drills.harm import Fault, Injected
from tests.integration.drills.rig.shards import now_ms
from tests.integration.drills.rig.site import PRODUCER, Site

#: What workers do while they work, of all that their roles allow; the rest belongs to their start.
_WORK = frozenset(
    "GetItem PutItem UpdateItem BatchGetItem BatchWriteItem Query Scan "
    "GetObject PutObject SendMessage Publish GetRecords".split()
)
_KEYS = ("dynamodb", "s3", "sqs", "sns", "kinesis")


def permission(site: Site, random: Random) -> Injected:
    """One action of one worker's role, on whatever resource the role has it."""
    application = random.choice(site.applications)
    grants = permissions.worker(site.settings, application).seen
    actions = sorted({action for grant in grants for action in grant.actions if action.split(":")[1] in _WORK})
    return denied(site, random, application, random.choice(actions))


def denied(site: Site, random: Random, application: str, action: str) -> Injected:
    return _during(site, random, Refused("denied", who=_key(site, application), action=action), f"{application}: {action}")


def producers_permission(site: Site, random: Random) -> Injected:
    return _during(site, random, Refused("denied", who=PRODUCER, action="kinesis:PutRecords"), "PutRecords")


def encryption_key(site: Site, random: Random) -> Injected:
    """The key of every resource of one service, for every worker."""
    service = random.choice(_KEYS)
    return _during(site, random, Refused("kms", who=_key(site, "*"), action=f"{service}:*"), service)


def credentials(site: Site, random: Random) -> Injected:
    return _no_longer_good(site, random, Refused("expired"))


def signature(site: Site, random: Random) -> Injected:
    return _no_longer_good(site, random, Refused("skewed"))


def _no_longer_good(site: Site, random: Random, refused: Refused) -> Injected:
    application = random.choice(site.applications)
    return _during(site, random, refused._replace(who=_key(site, application)), application)


def _key(site: Site, application: str) -> str:
    return roles.access_key(site.settings.name, application)


def _during(site: Site, random: Random, refused: Refused, what: str) -> Injected:
    lasts_s = random.uniform(*site.refusals_s)
    before = site.running()
    with site.controls.during(refused):
        traffic.put_poison(site, random)  # nobody calls SQS otherwise
        seen: set[str] = set()
        until = time.monotonic() + lasts_s
        while time.monotonic() < until:
            seen |= site.shards.waiting()
            time.sleep(0.5)
    since = now_ms()
    if ended := before - site.running():
        site.ended_by_refusal += sorted(ended)
    told = f"; shown: {', '.join(sorted(seen))}" if seen else ""
    return Injected(what=f"{what}, {lasts_s:.0f} s{told}", since_ms=since)


def never_taken(site: Site, random: Random) -> Injected:
    """One item of one application, for ever: its effect becomes a dead letter, and everything else goes on."""
    token = f"never-{random.getrandbits(64):x}"
    event_id, user_id, order_id = f"{token}-event", f"{token}-user", f"{token}-order"
    items = {
        "fraud": (DECISIONS.of(site.settings), event_id),
        "orders": (ORDERS.of(site.settings), order_id),
        "recommendations": (OFFERS.of(site.settings), user_id),
    }
    application = random.choice([each for each in site.applications if each in items])
    table, value = items[application]
    site.controls.inject(
        Refused("final", who=_key(site, application), resource=f"dynamodb:table/{table}", value=value),
    )
    since = now_ms()
    event = traffic.purchase(event_id, user_id, order_id)
    traffic.put_events(site, [event])
    site.never_taken.append((application, event))
    return Injected(what=f"{application}: {value}", since_ms=since)


FAULTS: dict[str, Fault] = {
    "permission away": permission,
    "producer's permission away": producers_permission,
    "KMS key disabled": encryption_key,
    "credentials expired": credentials,
    "signature of another time": signature,
    "an item never taken": never_taken,
}
