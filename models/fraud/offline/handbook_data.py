"""The Fraud Detection Handbook's transformed weeks, and the rule by which the book tests on them."""

from pathlib import Path

import msgspec
import pandas as pd

from clickstream.errors import Missing
from clickstream.models.fraud.offline.handbook import LABEL_DELAY_DAYS, MODEL_FEATURES, WINDOWS_DAYS

FOLDER = "fraud_handbook_simulated"
_TRAIN = "transformed_train_2018-07-25_2018-07-31.csv.gz"
_TEST = "transformed_test_2018-08-08_2018-08-14.csv.gz"
_DELAY = "delay_frauds_2018-08-01_2018-08-07.csv"


class Published(msgspec.Struct, frozen=True):
    """What the book says of a model on its test week; card precision at 100 cards a day."""

    auc: float
    average_precision: float
    card_precision: float


#: Section 3.4.4 of the book.
PUBLISHED: dict[str, Published] = {
    "logistic regression": Published(0.871, 0.606, 0.291),
    "decision tree, depth 2": Published(0.763, 0.496, 0.241),
    "decision tree, unlimited": Published(0.788, 0.309, 0.243),
    "random forest": Published(0.867, 0.658, 0.287),
    "XGBoost": Published(0.862, 0.639, 0.273),
}


def weeks(datasets: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of training and of the test: transactions with :data:`MODEL_FEATURES` and the data's own columns.

    The test is without the cards that were known to be defrauded. Raises Missing when the files are not there.
    """
    folder = datasets / FOLDER
    try:
        train, test = (_with_ratios(pd.read_csv(folder / name)) for name in (_TRAIN, _TEST))
        delay = pd.read_csv(folder / _DELAY)
    except FileNotFoundError as error:
        raise Missing(f"no {error.filename}", hint="CLICKSTREAM_DATASETS names the folder of data sets") from error
    return train, unknown_cards(train, delay, test)


def unknown_cards(train: pd.DataFrame, delay: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """The test transactions of cards that nobody knew to be defrauded on their day.

    A fraud is known seven days after it happened, and a known card is blocked: its transactions are nobody's to find any more.
    Known on the first day of the test are the cards with a fraud in the train week; on each further day, those with a fraud up
    to eight days before it, because the news of a day comes too late for that day.
    """
    first = int(test["TX_TIME_DAYS"].min())
    frauds = pd.concat([week.loc[week["TX_FRAUD"] == 1, ["CUSTOMER_ID", "TX_TIME_DAYS"]] for week in (train, delay)])
    first_fraud = frauds.groupby("CUSTOMER_ID")["TX_TIME_DAYS"].min()
    known_from = (first_fraud + LABEL_DELAY_DAYS + 1).clip(lower=first)
    known = test["TX_TIME_DAYS"] >= test["CUSTOMER_ID"].map(known_from)
    return test[~known]


def _with_ratios(transactions: pd.DataFrame) -> pd.DataFrame:
    """Add the amount over the mean of the customer's earlier ones, which the published count and mean determine."""
    ratios = {}
    for days in WINDOWS_DAYS:
        count = transactions[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"]
        mean = transactions[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"]
        amount = transactions["TX_AMOUNT"]
        usual = ((count * mean - amount) / (count - 1)).where(count > 1)
        ratios[f"CUSTOMER_ID_AMOUNT_RATIO_{days}DAY_WINDOW"] = (amount / usual).where(usual > 0)
    return transactions.assign(**ratios)


def features(transactions: pd.DataFrame) -> pd.DataFrame:
    return transactions[list(MODEL_FEATURES.names)].astype("float64")
