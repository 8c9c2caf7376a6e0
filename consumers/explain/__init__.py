"""The whole life of one event, as the stream and every application's store tell it."""
