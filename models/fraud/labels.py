"""What became known of purchases, as a CSV: event_id, fraud (0 or 1), and perhaps the kind of fraud. Light: no pandas."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from clickstream.errors import Missing, UserMistake

#: The kind of a purchase that is known to be no fraud.
GENUINE = "genuine"
#: And of one that is known to be one, of no known kind.
FRAUD = "fraud"


def read(path: Path) -> bytes:
    """Raises Missing."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise Missing(f"no file {path}") from error


def written(kinds: Iterable[tuple[str, str]]) -> str:
    """The file of these labels, by event id."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(["event_id", "fraud", "kind"])
    lines.writerows((event_id, int(kind != GENUINE), kind) for event_id, kind in kinds)
    return out.getvalue()


def parse(text: bytes, name: object) -> dict[str, str]:
    """Kinds by event id: :data:`GENUINE`, the kind of fraud, or "fraud" for one without. Raises UserMistake, with the line."""
    try:
        rows = csv.DictReader(text.decode("utf-8-sig").splitlines())  # a spreadsheet begins with the mark
    except UnicodeDecodeError as error:
        raise UserMistake(f"{name} is no text: {error}") from error
    if not {"event_id", "fraud"} <= set(rows.fieldnames or ()):
        raise UserMistake(f"{name} has no columns event_id and fraud")
    kinds = {}
    for number, row in enumerate(rows, 2):
        if row["fraud"] not in ("0", "1"):
            raise UserMistake(f"{name}, line {number}: fraud is {row['fraud']!r}, not 0 or 1")
        kinds[row["event_id"]] = (row.get("kind") or FRAUD) if row["fraud"] == "1" else GENUINE
    return kinds
