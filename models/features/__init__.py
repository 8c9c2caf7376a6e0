"""Features of rolling windows over event time, declared as data and computed by one engine, in training and in serving."""
