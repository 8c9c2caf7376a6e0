"""The files of a durable server, and the journal that writes them."""
