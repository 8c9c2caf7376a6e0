"""Is a purchase fraud: features, training, scoring, decisions."""
