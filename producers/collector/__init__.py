"""The HTTP collector: events from browsers and servers, answered only once Kinesis has them."""
