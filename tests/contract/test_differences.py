"""The table of differences is whole: its page is it, every entry is observed by a test, none is named twice."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.contract.differences import DIFFERENCES, PAGE, page

pytestmark = pytest.mark.contract


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text() == page(), "write it again: python -m tests.contract.differences"


def test_no_topic_is_listed_twice() -> None:
    assert max(Counter((each.server, each.topic) for each in DIFFERENCES).values()) == 1


def test_every_topic_is_observed_somewhere() -> None:
    tests = "\n".join(path.read_text() for path in Path(__file__).parent.rglob("test_*.py"))
    # a topic may be composed: f"create.malformed-name.{which}" observes create.malformed-name.*
    observed = re.findall(r'"([a-z-]+\.[^"]*)"', tests)
    patterns = [re.compile(re.sub(r"\\\{.*?\\\}", ".+", re.escape(text))) for text in observed]

    unobserved = [
        each.topic
        for each in DIFFERENCES
        if not each.topic.startswith("answer.") and not any(pattern.fullmatch(each.topic) for pattern in patterns)
    ]

    assert unobserved == []
