"""A candidate beside the live model: what it would have decided, compared; decisions and alerts stay as they are."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from clickstream.cli import cli
from clickstream.consumers.fraud import tables
from clickstream.consumers.fraud.decisions import Decision, Source
from clickstream.consumers.fraud.needs import OUTCOMES
from clickstream.consumers.fraud.outcomes import Truth
from clickstream.consumers.fraud.shadow import running
from clickstream.consumers.fraud.shadow.comparison import compare
from clickstream.consumers.fraud.shadow.opinion_items import Opinion
from clickstream.consumers.fraud.shadow.sink import application, name_of
from clickstream.errors import UserMistake
from clickstream.events import Purchase
from clickstream.models.fraud import labels, scoring
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.models.fraud.verdicts import Verdict
from tests.unit.fraud.shop import AT, SETTINGS, Shop, effects, files_of
from tests.unit.fraud.shopping import START_MS, purchase


def opinion(event_id: str, verdict: Verdict, cents: int, at_ms: int = START_MS) -> Opinion:
    purchase = decision(event_id, verdict).purchase
    return Opinion(event_id=event_id, purchase=purchase, occurred_at=at_ms, cents=cents, verdict=verdict, score=0.5)


def decision(event_id: str, verdict: Verdict) -> Decision:
    return Decision(
        event_id=event_id,
        order_id="o",
        user_id="u",
        occurred_at=START_MS,
        decided_at=START_MS,
        amount=1,
        currency="EUR",
        verdict=verdict,
        score=0.5,
        reasons=[],
        source=Source.MODEL,
        model_version="live-1",
        vector=(),
    )


def test_the_difference_in_money_precision_recall_and_alerts() -> None:
    """Counted by hand: four purchases, of which three have labels."""
    opinions = [
        opinion("missed before", Verdict.BLOCK, 10_000),
        opinion("caught before", Verdict.REVIEW, 4_000),
        opinion("false alarm before", Verdict.APPROVE, 700),
        opinion("unlabelled", Verdict.REVIEW, 50),
        opinion("too early", Verdict.BLOCK, 10**6, at_ms=START_MS - 1),
        opinion("undecided", Verdict.BLOCK, 10**6),
    ]
    decided = {
        "missed before": decision("missed before", Verdict.APPROVE),
        "caught before": decision("caught before", Verdict.BLOCK),
        "false alarm before": decision("false alarm before", Verdict.REVIEW),
        "unlabelled": decision("unlabelled", Verdict.APPROVE),
        "too early": decision("too early", Verdict.APPROVE),
    }
    live = {(each.event_id, each.purchase): each for each in decided.values()}
    kinds = {"missed before": "takeover", "caught before": "takeover", "false alarm before": labels.GENUINE}
    found = compare(opinions, live, kinds, from_ms=START_MS)
    assert (found.purchases, found.undecided, found.live_versions) == (4, 1, {"live-1": 4})
    assert found.live.truth == Truth(labelled=3, frauds=2, caught=1, alarms=2, money=14_000, money_caught=4_000)
    assert found.candidate.truth == Truth(labelled=3, frauds=2, caught=2, alarms=2, money=14_000, money_caught=14_000)
    assert (found.live.precision, found.candidate.precision) == (0.5, 1.0)
    assert (found.live.recall, found.candidate.recall) == (0.5, 1.0)
    assert (found.live.alerts, found.candidate.alerts) == (2, 3)
    assert (found.live.alerted_money, found.candidate.alerted_money) == (4_700, 14_050)
    assert (found.live.money_missed, found.candidate.money_missed) == (10_000, 0)
    assert found.changed == {"approve→block": 1, "approve→review": 1, "block→review": 1, "review→approve": 1}


def test_a_candidate_is_asked_what_the_live_model_was_asked(shop: Shop, good: dict[str, bytes]) -> None:
    events = [purchase("ann", START_MS + n, amount=1_000 + 40_000 * (n % 2)) for n in range(6)]
    shop.sink.write(effects(*events), AT)
    before = [repr(shop.of(event)) for event in events]
    shop.alerts()
    version = shop.publish(good, promote=False)
    undecided = purchase("bob", START_MS)
    shadow = application(version)
    sink = shadow.open_sink("shardId-000000000000", shop.clients, SETTINGS)
    for _ in range(2):  # a replay says the same again
        # this fold begins in the middle: it has seen one of Ann's purchases where the live one had seen six
        sink.write([*effects(events[-1]), *effects(*events[:5]), *effects(undecided)], AT)
    found = {each.event_id: each for each in running.opinions(version, shop.clients, SETTINGS)}
    assert found.keys() == {event.event_id for event in [*events, undecided]}
    model = scoring.decode(good)
    for event in events:
        assert found[event.event_id].score == model.score(np.array([shop.of(event).vector]))[0]
    assert [repr(shop.of(event)) for event in events] == before
    assert shop.decisions.of(undecided.event_id) is None
    assert shop.alerts() == []
    assert shadow.name == name_of(version) != "fraud"


def test_labels_are_noted_from_a_file(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> None:
    events = [purchase("ann", START_MS + n) for n in range(3)]
    shop.sink.write(effects(*events), AT)
    file = tmp_path_factory.mktemp("labels") / "labels.csv"
    lines = ["event_id,fraud,kind", f"{events[0].event_id},1,takeover", f"{events[1].event_id},0,", "unknown,1,"]
    file.write_text("\n".join(lines))
    said = CliRunner().invoke(cli, ["models", "label", "fraud", str(file), "--dry-run"], catch_exceptions=False)
    assert said.stderr == "would note 2 labels, 1 frauds; 1 are of no decided purchase\n"
    assert kinds_of(shop, events) == {}
    CliRunner().invoke(cli, ["models", "label", "fraud", str(file)], catch_exceptions=False)
    assert kinds_of(shop, events) == {events[0].event_id: "takeover", events[1].event_id: labels.GENUINE}


def kinds_of(shop: Shop, events: list[Purchase]) -> dict[str, str]:
    return tables.kinds(shop.clients.dynamodb, OUTCOMES.of(SETTINGS), [shop.of(event) for event in events])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"event_id,kind\nx,y\n", "no columns"),
        (b"event_id,fraud\nx,yes\n", "line 2: fraud is 'yes'"),
        (b"\xff\xfe", "no text"),
    ],
)
def test_a_file_of_no_labels_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(UserMistake, match=reason):
        labels.parse(text, "labels.csv")


def test_the_version_is_checked_before_anything_starts(shop: Shop) -> None:
    told = CliRunner().invoke(cli, ["models", "shadow", "20260101T000000Z-00000000"])
    assert isinstance(told.exception, Exception)
    assert "there is no version" in str(told.exception)
    other = files_of(msgspec.structs.replace(PURCHASES, name="other"), seed=1)
    told = CliRunner().invoke(cli, ["models", "shadow", "fraud", shop.publish(other, promote=False)])
    assert "another meaning" in str(told.exception)
