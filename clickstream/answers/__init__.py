"""The short level: an application declared by its answers. Public; see docs/reference/applications.md.

Handlers are pure functions of an event and the user who caused it. What they yield (additions to tables, messages, lines of
files) is made durable with the same promise as the platform's own answers: exact under crashes, reshards and repetitions.
"""

from clickstream.answers.cells import Count, Distinct, Max, Min, Quantiles, Sum, Top
from clickstream.answers.declared import DAY, HOUR, MINUTE, Application, Files, Messages, Table
from clickstream.answers.users import User

__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "Application",
    "Count",
    "Distinct",
    "Files",
    "Max",
    "Messages",
    "Min",
    "Quantiles",
    "Sum",
    "Table",
    "Top",
    "User",
]
