"""The API over HTTP: encodings, the calls' bodies, pushed events, and the ASGI application."""
