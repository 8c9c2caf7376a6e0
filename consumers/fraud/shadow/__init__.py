"""A candidate model over the same stream, under an application name of its own: it decides nothing, and is compared."""
