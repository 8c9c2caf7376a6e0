"""The features of the Fraud Detection Handbook (Le Borgne et al.), declared for our engine under their published names.

Of a customer: number and mean amount of transactions over 1, 7 and 30 days. Of a terminal: number of transactions, and the
share of frauds among them, over the same windows ending 7 days ago, because a fraud is known only then. Weekend and night.
"""

import math

from clickstream.models.features.definitions import DAY_MS, Aggregate, Calendar, FeatureSet, Own, Rolling, Track

TRANSACTION = "transaction"
#: How long it takes until a transaction is known to have been a fraud.
LABEL_DELAY_DAYS = 7
WINDOWS_DAYS = (1, 7, 30)


def _of(track: str, name: str, days: int, aggregate: Aggregate, column: str = "", empty: float = math.nan) -> Rolling:
    return Rolling(
        name=f"{track.upper()}_ID_{name}_{days}DAY_WINDOW",
        track=track,
        aggregate=aggregate,
        column=column,
        window_ms=days * DAY_MS,
        delay_ms=LABEL_DELAY_DAYS * DAY_MS if track == "terminal" else 0,
        empty=empty,
    )


CUSTOMER = FeatureSet(
    name="handbook-customer",
    tracks=(Track(name="customer", key="CUSTOMER_ID", kinds=(TRANSACTION,), columns=("TX_AMOUNT",), limit=1024),),
    features=(
        Calendar(name="TX_DURING_WEEKEND", part=Calendar.Part.WEEKEND),
        Calendar(name="TX_DURING_NIGHT", part=Calendar.Part.NIGHT),
        *(
            feature
            for days in WINDOWS_DAYS
            for feature in (
                _of("customer", "NB_TX", days, Aggregate.COUNT),
                _of("customer", "AVG_AMOUNT", days, Aggregate.MEAN, "TX_AMOUNT"),
            )
        ),
    ),
)
TERMINAL = FeatureSet(
    name="handbook-terminal",
    tracks=(Track(name="terminal", key="TERMINAL_ID", kinds=(TRANSACTION,), columns=("TX_FRAUD",), limit=1024),),
    features=tuple(
        feature
        for days in WINDOWS_DAYS
        for feature in (
            _of("terminal", "NB_TX", days, Aggregate.COUNT),
            _of("terminal", "RISK", days, Aggregate.MEAN, "TX_FRAUD", empty=0.0),
        )
    ),
)
HANDBOOK = FeatureSet(
    name="handbook",
    tracks=(*CUSTOMER.tracks, *TERMINAL.tracks),
    features=(*CUSTOMER.features, *TERMINAL.features),
)


#: What our model is given: the published features, the amount, and the amount over the mean of the customer's earlier ones.
MODEL_FEATURES = FeatureSet(
    name="handbook-model",
    tracks=HANDBOOK.tracks,
    features=(
        Own(name="TX_AMOUNT", field="TX_AMOUNT"),
        *HANDBOOK.features,
        *(_of("customer", "AMOUNT_RATIO", days, Aggregate.RATIO, "TX_AMOUNT") for days in WINDOWS_DAYS),
    ),
)
