"""What an application needs, derived; and what a person has to set before its worker starts."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from clickstream.answers.cells import Count
from clickstream.answers.declared import Application, Files, Messages, Table
from clickstream.answers.needs import needs_of
from clickstream.consumers.runtime.worker import commands
from clickstream.errors import UserMistake
from clickstream.settings import Settings

URL = "https://shop.example/told?key=secret"


def test_no_more_is_needed_than_is_declared() -> None:
    needs = needs_of(Application("counted", on={}, answers=[Table("wishes", wishes=Count())]))
    assert [table.suffix for table in needs.tables] == ["counted-wishes"]
    assert (needs.buckets, needs.queues, needs.topics, needs.webhooks, needs.alarms) == ((), (), (), (), ())
    assert (needs.name, needs.own) == ("counted", True)


@pytest.mark.parametrize(
    "answers",
    [
        (Table("outbox", n=Count()), Messages("told")),
        (Messages("told"), Messages("told", to="sns")),
        (Messages("told-dead"), Messages("told")),
    ],
)
def test_two_answers_in_one_store_are_refused(answers: tuple[Table | Messages | Files, ...]) -> None:
    with pytest.raises(UserMistake, match="two answers"):
        needs_of(Application("counted", on={}, answers=answers))


@pytest.mark.parametrize(
    "text", ["", "[]", '{"told": 1}', "{}", '{"told": "ftp://x/"}', '{"told": "http://x/\\n"}', f'["{URL}"]']
)
def test_a_webhook_without_a_url_is_told_in_one_line(text: str) -> None:
    with pytest.raises(UserMistake, match="CLICKSTREAM_WEBHOOKS") as mistake:
        Settings(webhooks=text).webhook("told")
    assert "told" in mistake.value.hint
    assert "secret" not in str(mistake.value)


def test_a_worker_does_not_start_without_its_webhooks(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = needs_of(Application("analytics", on={}, answers=[Messages("told", to="webhook")]))
    monkeypatch.setattr(commands, "find", lambda _: needs)
    said = CliRunner().invoke(commands.worker, ["analytics", "--print-properties"])
    assert isinstance(said.exception, UserMistake)
    monkeypatch.setenv("CLICKSTREAM_WEBHOOKS", json.dumps({"told": URL}))
    assert CliRunner().invoke(commands.worker, ["analytics", "--print-properties"]).exit_code == 0
