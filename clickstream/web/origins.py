"""The option ``--origin``: pages that may send to our collector (CORS)."""

import click


def _checked(_context: click.Context, _option: click.Parameter, origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        scheme, separator, host = origin.partition("://")
        if scheme not in ("http", "https") or not separator or not host or "/" in host or "*" in host:
            raise click.BadParameter(f"{origin!r} is not like https://shop.example or http://127.0.0.1:3000")
    return origins


option = click.option(
    "--origin",
    "origins",
    multiple=True,
    callback=_checked,
    help="A page's origin that may send (CORS), like https://shop.example. May be repeated.",
)
