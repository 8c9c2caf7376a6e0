"""What the platform tells of itself: metrics under typed names, traces, logs. See docs/reference/telemetry.md."""
