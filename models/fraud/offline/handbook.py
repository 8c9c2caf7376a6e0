"""The features of the Fraud Detection Handbook (Le Borgne et al.), declared for our engine under their published names.

Of a customer: number and mean amount of transactions over 1, 7 and 30 days. Of a terminal: number of transactions, and the
share of frauds among them, over the same windows ending 7 days ago, because a fraud is known only then. Weekend and night.
"""

from __future__ import annotations

from models.features.definitions import DAY_MS, Aggregate, Calendar, Feature, FeatureSet, Own, Rolling, Track

TRANSACTION = "transaction"
#: How long it takes until a transaction is known to have been a fraud.
LABEL_DELAY_DAYS = 7
WINDOWS_DAYS = (1, 7, 30)


def _customer(days: int) -> tuple[Feature, ...]:
    window_ms = days * DAY_MS
    return (
        Rolling(
            name=f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW",
            track="customer",
            aggregate=Aggregate.COUNT,
            window_ms=window_ms,
        ),
        Rolling(
            name=f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW",
            track="customer",
            aggregate=Aggregate.MEAN,
            column="TX_AMOUNT",
            window_ms=window_ms,
        ),
    )


def _terminal(days: int) -> tuple[Feature, ...]:
    window_ms, delay_ms = days * DAY_MS, LABEL_DELAY_DAYS * DAY_MS
    return (
        Rolling(
            name=f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW",
            track="terminal",
            aggregate=Aggregate.COUNT,
            window_ms=window_ms,
            delay_ms=delay_ms,
        ),
        Rolling(
            name=f"TERMINAL_ID_RISK_{days}DAY_WINDOW",
            track="terminal",
            aggregate=Aggregate.MEAN,
            column="TX_FRAUD",
            window_ms=window_ms,
            delay_ms=delay_ms,
            empty=0.0,
        ),
    )


CUSTOMER = FeatureSet(
    name="handbook-customer",
    tracks=(Track(name="customer", key="CUSTOMER_ID", kinds=(TRANSACTION,), columns=("TX_AMOUNT",), limit=1024),),
    features=(
        Calendar(name="TX_DURING_WEEKEND", part=Calendar.Part.WEEKEND),
        Calendar(name="TX_DURING_NIGHT", part=Calendar.Part.NIGHT),
        *(feature for days in WINDOWS_DAYS for feature in _customer(days)),
    ),
)
TERMINAL = FeatureSet(
    name="handbook-terminal",
    tracks=(Track(name="terminal", key="TERMINAL_ID", kinds=(TRANSACTION,), columns=("TX_FRAUD",), limit=1024),),
    features=tuple(feature for days in WINDOWS_DAYS for feature in _terminal(days)),
)
HANDBOOK = FeatureSet(
    name="handbook",
    tracks=(*CUSTOMER.tracks, *TERMINAL.tracks),
    features=(*CUSTOMER.features, *TERMINAL.features),
)


def ratio_name(days: int) -> str:
    return f"CUSTOMER_ID_AMOUNT_RATIO_{days}DAY_WINDOW"


#: What our model is given: the published features, the amount, and the amount over the mean of the customer's earlier ones.
MODEL_FEATURES = FeatureSet(
    name="handbook-model",
    tracks=HANDBOOK.tracks,
    features=(
        Own(name="TX_AMOUNT", field="TX_AMOUNT"),
        *HANDBOOK.features,
        *(
            Rolling(
                name=ratio_name(days),
                track="customer",
                aggregate=Aggregate.RATIO,
                column="TX_AMOUNT",
                window_ms=days * DAY_MS,
            )
            for days in WINDOWS_DAYS
        ),
    ),
)
