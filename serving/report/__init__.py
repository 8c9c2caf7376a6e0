"""A stretch of time as a file to keep or to send: a page that needs nothing else, or a table."""
