"""The page Own answers: the tables of all applications that are declared by their answers, the newest windows first."""

from typing import Any

import msgspec

from clickstream.answers.reading import Answers
from clickstream.errors import Missing, UserMistake
from clickstream.serving.api.own import OwnAnswers, read
from clickstream.serving.progress import Reading

ROWS = 30
#: They are read again for each picture: a window of more is asked for by name.
MOST_READ = 5_000


class OwnTable(OwnAnswers, frozen=True, kw_only=True):
    problem: str = ""
    """Why there are no rows."""


class Shown(msgspec.Struct, frozen=True):
    tables: list[OwnAnswers]


class Own:
    """See ``clickstream.serving.pages.live.Picture``."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.applications = tuple(answers.applications)

    def read(self, seen: Reading) -> Shown:
        declared = self._answers.applications.items()
        return Shown([self._table(application, name, seen) for application, each in declared for name in each.tables])

    def _table(self, application: str, table: str, seen: Reading) -> OwnAnswers:
        newest = max((row.watermark_ms for row in seen.rows if row.application == application), default=0)
        place: dict[str, Any] = {"application": application, "table": table}
        try:
            return read(self._answers, newest, **place, start=None, end=None, shards=seen.rows, limit=ROWS, most=MOST_READ)
        except (Missing, UserMistake) as error:  # the other tables are shown
            return OwnTable(**place, cells=[], problem=str(error))
