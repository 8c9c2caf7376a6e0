"""Whoever is woken finds the section that the alarm names, and no section speaks of an alarm that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from clickstream.infra import watching
from clickstream.infra.stacks.alarms import RUNBOOK
from clickstream.infra.stages import PRODUCTION, STAGING
from tests.infra.templates import Template, of_type

TEXT = (Path(__file__).parents[2] / RUNBOOK).read_text()
_ALARMS, _TASKS = "# Alarms", "# Tasks"
TASKS = {"deploy", "roll-back", "replay-from-a-time", "drain", "retire-an-application", "rotate-keys"}


def _sections(text: str) -> set[str]:
    """As anchors."""
    return {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^## (.+)$", text, re.MULTILINE)
    }


def test_every_alarm_names_a_section_and_every_section_has_an_alarm(templates: dict[str, dict[str, Template]]) -> None:
    named = set()
    for stage in (PRODUCTION, STAGING):
        alarms = of_type(templates[stage.name][f"{stage.settings.name}-alarms"], "AWS::CloudWatch::Alarm")
        assert len(alarms) == len(watching.plain(stage)) + len(watching.lags(stage))
        for alarm in alarms.values():
            (section,) = re.findall(rf"{re.escape(RUNBOOK)}#([a-z-]+)$", alarm["AlarmDescription"])
            named.add(section)
            assert alarm["AlarmActions"], alarm["AlarmName"]
            assert alarm["OKActions"], alarm["AlarmName"]
    assert named == _sections(TEXT.partition(_ALARMS)[2])


def test_the_runbook_has_every_task() -> None:
    assert _sections(TEXT.partition(_TASKS)[2].partition(_ALARMS)[0]) == TASKS


def test_each_alarm_of_a_section_is_named_in_it() -> None:
    """``APP-behind`` stands for one of each application."""
    for alarm in [*watching.plain(PRODUCTION), *watching.lags(PRODUCTION)]:
        sections = re.split(r"^## ", TEXT.partition(_ALARMS)[2], flags=re.MULTILINE)
        (section,) = (part for part in sections if _sections(f"## {part}") == {alarm.section})
        names = re.findall(r"`([A-Za-z-]+)`", section)
        assert any(re.fullmatch(re.sub(r"[A-Z]+", "[a-z-]+", name), alarm.name) for name in names), alarm.name
