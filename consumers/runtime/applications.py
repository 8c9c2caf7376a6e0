"""The applications there are: name → the module whose ``APPLICATION`` wires it."""

APPLICATIONS: dict[str, str] = {
    "archive": "consumers.archive.wiring",
    "analytics": "consumers.analytics.wiring",
    "fraud": "consumers.fraud.wiring",
    "orders": "consumers.orders.wiring",
    "recommendations": "consumers.recommendations.wiring",
}
