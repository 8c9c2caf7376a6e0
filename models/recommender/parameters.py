"""The recommender's parameters. Pure.

The defaults were chosen on the train_tr/train_valid split of yoochoose_100k only: docs/explanation/recommendations.md.
"""

import msgspec


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    recent_sessions: int = 100
    """Sessions per item that the index keeps: the most recent ones."""
    session_length: int = 50
    """Clicks that are kept of a session: its last ones."""
    rules_per_item: int = 50
    """Successors that the index keeps per item."""
    neighbours: int = 300
    """Sessions that an answer is made of: the most similar of those that share an item."""
    window: int = 10
    """Distinct items of the visitor's own session that are looked at: the last ones."""
    item_decay: float = 0.4
    """Weight of an item of the session relative to the one after it."""
    idf_power: float = 3.0
    """How much rarer items count more when sessions are compared."""
    length_power: float = 0.15
    """How much a neighbour with many items counts less."""
    age_days: float = 5.0
    """A neighbour this much older counts 1/e."""
    nearness: float = 1.5
    """Clicks of a neighbour this far from the item it shares count 1/e of those beside it."""
    backward: float = 0.7
    """Weight of a neighbour's clicks before the item it shares; those after it have 1."""
    rules: float = 0.1
    """Share of the sequential rules, beside the neighbours' 1."""
    second_step: float = 0.5
    """What a successor's successor counts."""
    second_sources: int = 50
    """Successors whose successors are looked at: the strongest."""
    repeat: float = 0.8
    """Share of the session's own items: visitors return to what they have seen."""
    popular: float = 0.01
    """Share of popularity: it orders what nothing else knows."""
