"""What is about to be sold out: what product pages showed to be left, joined with what was sold, by product and hour.

``clickstream query own stock stock --json | python -m stock`` prints the warnings.
"""

import json
import sys

from clickstream.answers import HOUR, Application, Min, Sum, Table

STOCK = Table("stock", per=HOUR, left=Min(), sold=Sum())
FEW = 5


def seen(event, user):
    yield STOCK.add(event.product_id, left=event.left)


def bought(event, user):
    for item in event.items:
        yield STOCK.add(item.product_id, sold=item.quantity)


def is_scarce(row):
    """The least that any page showed in the hour, less all that the hour sold: at the worst so many are left."""
    left, sold = row["values"]["left"], row["values"]["sold"]
    return left is not None and left - sold < FEW


APPLICATION = Application("stock", on={"stock_seen": seen, "purchase": bought}, answers=[STOCK])

if __name__ == "__main__":
    for row in filter(is_scarce, json.load(sys.stdin)["rows"]):
        print(json.dumps(row))
