"""A purchase becomes an order: goods reserved, fraud's decision asked for, confirmed or cancelled, the customer told once."""

NAME = "orders"
