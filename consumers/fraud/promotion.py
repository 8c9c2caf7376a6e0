"""What a version would do to the shop as it is now, before it serves."""

import numpy as np

from clickstream.aws import Clients
from clickstream.consumers.fraud.views import Decision, Decisions
from clickstream.errors import Missing
from clickstream.models.commands import Outlook
from clickstream.models.features.definitions import Calendar
from clickstream.models.fraud import profile, scoring
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.models.fraud.verdicts import Verdict
from clickstream.models.registry.manifest import Version
from clickstream.settings import from_env

#: The latest purchases that a version decides for comparison, of a day.
_MOST = 2_000
#: Of fewer purchases nothing can be said about how they are spread.
_FEWEST_SPREAD = 100
#: Features that are named.
_NAMED = 5
#: Of the moment, not of the shop: an hour of traffic is always another hour than a month's.
_CALENDAR = {feature.name for feature in PURCHASES.features if isinstance(feature, Calendar)}


def outlook(version: Version) -> Outlook:
    """Of the last day's decisions. Raises UnusableModel for a version that could not serve."""
    model = scoring.load(version, PURCHASES)
    settings = from_env()
    try:
        recent = Decisions(Clients(settings), settings).recent(most=_MOST)
    except Missing:  # no table yet: a registry alone
        recent = []
    return compared(version, model, [each for each in recent if len(each.vector) == len(PURCHASES.names)])


def compared(version: Version, model: scoring.FraudModel, recent: list[Decision]) -> Outlook:
    """Pure."""
    if not recent:
        return Outlook(0.0, ["no purchase was decided in the last 24 hours: there is nothing to compare its training with"])
    rows = np.array([decision.vector for decision in recent], np.float64)
    told = [model.card.thresholds.verdict(score) for score in model.score(rows)]
    sides = {"it would": told, "decided so": [decision.verdict for decision in recent]}
    shares = {
        side: [verdicts.count(which) / len(recent) for which in (Verdict.BLOCK, Verdict.REVIEW)]
        for side, verdicts in sides.items()
    }
    metrics = version.manifest.description.metrics
    if {"blocked", "reviewed"} <= metrics.keys():
        shares["in its trial"] = [metrics["blocked"], metrics["reviewed"]]
    lines = [f"of the latest {len(recent):,} purchases of the last 24 hours:"]
    lines += [f"  {side:<14}{blocked:>7.1%} blocked {reviewed:>7.1%} to review" for side, (blocked, reviewed) in shares.items()]
    return Outlook(shares["it would"][0], [*lines, _spread(version, rows)])


def _spread(version: Version, rows: profile.Matrix) -> str:
    stored = version.files.get(profile.FILE)
    if stored is None:
        return "how its training was spread is not known: it was trained by an older version of clickstream"
    if len(rows) < _FEWEST_SPREAD:
        return f"fewer than {_FEWEST_SPREAD} purchases: too few to compare with its training"
    shifts = profile.shifts(stored, rows, PURCHASES.names)
    far = {name: psi for name, psi in shifts.items() if psi >= profile.SHIFTED and name not in _CALENDAR}
    if not far:
        return "spread as in its training"
    named = ", ".join(f"{name} {psi:.2f}" for name, psi in list(far.items())[:_NAMED])
    return (
        f"{len(far)} of {len(shifts)} features are spread otherwise than in its training (PSI from {profile.SHIFTED}): {named}"
    )
