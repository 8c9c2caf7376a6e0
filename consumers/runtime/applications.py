"""The applications there are: name → the module whose ``APPLICATION`` wires it."""

APPLICATIONS: dict[str, str] = {
    "archive": "consumers.archive.wiring",
    "analytics": "consumers.analytics.wiring",
    "fraud": "consumers.fraud.wiring",
    "recommendations": "consumers.recommendations.wiring",
}
