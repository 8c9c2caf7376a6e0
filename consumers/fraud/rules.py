"""What is decided without a trained model, and what no model may overrule. Pure.

*Safeguards* hold always: an amount that nobody can judge is looked at by a person. The rules of the *cold start* hold while no
model that was trained on labels serves; they name the patterns that every shop has met: guessed passwords, tested cards, a
stolen account that buys from elsewhere.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from clickstream.models.fraud.verdicts import Reason, Thresholds

#: A purchase of more euro cents than this is looked at.
ABSURD_AMOUNT = 2_000_000
#: Of the rules' scores.
RULE_THRESHOLDS = Thresholds(review=0.5, block=0.9)


class Rule(msgspec.Struct, frozen=True):
    """Fires when every named feature is known and at least its bound; ``score`` is what the rule alone makes of a purchase."""

    at_least: Mapping[str, float]
    score: float

    def fires(self, features: Mapping[str, float]) -> bool:
        return all(features[name] >= bound for name, bound in self.at_least.items())  # NaN is at least nothing


SAFEGUARDS: Sequence[Rule] = (Rule({"amount": ABSURD_AMOUNT}, 0.5),)
COLD_START: Sequence[Rule] = (
    Rule({"failed_logins_1h": 5, "new_device_7d": 1}, 0.95),
    Rule({"payments_24h": 4, "purchases_1h": 4}, 0.95),
    Rule({"failed_logins_1h": 5}, 0.6),
    Rule({"payments_24h": 4}, 0.6),
    Rule({"purchases_1h": 6}, 0.6),
    Rule({"new_device_7d": 1, "new_country_7d": 1, "amount_to_usual_7d": 3}, 0.7),
    Rule({"countries_24h": 3}, 0.6),
    Rule({"amount_to_usual_7d": 20}, 0.5),
    Rule({"users_by_device_24h": 5}, 0.7),
    Rule({"users_by_payment_24h": 4}, 0.7),
    Rule({"payments_by_ip_24h": 8, "users_by_ip_24h": 8}, 0.5),
    Rule({"failed_logins_by_ip_1h": 10}, 0.6),
)


class RuleScore(msgspec.Struct, frozen=True):
    score: float
    reasons: list[Reason]


def judge(rules: Sequence[Rule], features: Mapping[str, float]) -> RuleScore:
    """The strongest rule that fires; ``features`` by name, NaN for missing."""
    fired = [rule for rule in rules if rule.fires(features)]
    if not fired:
        return RuleScore(0.0, [])
    strongest = max(fired, key=lambda rule: rule.score)
    return RuleScore(strongest.score, [Reason(name, features[name], strongest.score) for name in strongest.at_least])


def safeguard(features: Mapping[str, float]) -> RuleScore:
    """What a person must look at, whatever a model says."""
    if math.isnan(features["amount"]):  # its currency is not known to us
        return RuleScore(RULE_THRESHOLDS.review, [Reason("amount", math.nan, RULE_THRESHOLDS.review)])
    return judge(SAFEGUARDS, features)
