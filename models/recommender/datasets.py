"""Data sets by name or file, split into training and test."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from clickstream import events
from clickstream.errors import Missing, Rejected, UserMistake
from clickstream.events import AddToCart, ProductView, Search
from clickstream.models.recommender import clicks
from clickstream.models.recommender.clicks import Click
from clickstream.models.recommender.queries import query_item

#: Names of data sets → files of the training and of the test, in the folder of data sets.
NAMED: dict[str, tuple[str, str]] = {
    "yoochoose_100k": (
        "yoochoose_100k/prepared/yoochoose-clicks-100k_train_full.txt",
        "yoochoose_100k/prepared/yoochoose-clicks-100k_test.txt",
    ),
    # both halves are of the training: what parameters are chosen on
    "yoochoose_100k_valid": (
        "yoochoose_100k/prepared/yoochoose-clicks-100k_train_tr.txt.gz",
        "yoochoose_100k/prepared/yoochoose-clicks-100k_train_valid.txt.gz",
    ),
}
#: Of a file without a split, the sessions that end last are the test.
TEST_SHARE = 0.2


class Split(NamedTuple):
    training: Sequence[Click]
    test: Sequence[Click]


def load(name: str, folder: Path) -> Split:
    """A named data set in ``folder``, or a file, whose last fifth of sessions is the test. Raises Missing, UserMistake."""
    if name in NAMED:
        training, test = (folder / file for file in NAMED[name])
        if not training.is_file():
            raise Missing(f"no data set {name} in {folder}", hint="CLICKSTREAM_DATASETS names the folder")
        return Split(read(training), read(test))
    path = Path(name)
    if not path.exists():
        raise Missing(f"no file and no data set {name}", hint=f"data sets by name: {', '.join(NAMED)}")
    return split(read(path))


def read(path: Path) -> list[Click]:
    """Clicks of a yoochoose file, or of a file of events as NDJSON (``clickstream tail``, ``clickstream load run``).

    Raises Missing, UserMistake.
    """
    if not path.is_file():
        raise Missing(f"no file {path}")
    with path.open("rb") as file:
        if file.read(1) != b"{":
            return clicks.read(path)
        file.seek(0)
        return [click for number, line in enumerate(file, 1) if (click := _from_event(path, number, line)) is not None]


def _from_event(path: Path, number: int, line: bytes) -> Click | None:
    """A product that was viewed or put into a cart is a click, and so is a search; a session id is its user's own."""
    try:
        event = events.decode(line)
    except Rejected as error:
        raise UserMistake(f"{path}, line {number} is no event: {error}") from error
    if isinstance(event, ProductView | AddToCart):
        item: str | None = event.product_id
    elif isinstance(event, Search):
        item = query_item(event.query)
    else:
        return None
    return None if item is None else Click(f"{event.user_id}\n{event.session_id}", item, event.occurred_at / 1000)


def split(every: Sequence[Click]) -> Split:
    """By time: a session belongs to the test when it ends among the last ``TEST_SHARE``."""
    ended: dict[str, float] = {}
    for click in every:
        ended[click.session] = max(ended.get(click.session, click.at_s), click.at_s)
    ordered = sorted(ended, key=lambda session: (ended[session], session))
    later = set(ordered[int(len(ordered) * (1 - TEST_SHARE)) :])
    return Split(
        [click for click in every if click.session not in later],
        [click for click in every if click.session in later],
    )
