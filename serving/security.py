"""The response headers of every answer, and the check of the host name."""

import hmac
from collections.abc import Set
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clickstream.web.listening import host_name

#: The page needs nothing from anywhere else, so nothing else is allowed: a change that reaches out fails in the browser test.
CONTENT_SECURITY_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

#: The login page alone has a form.
FORM_POLICY = CONTENT_SECURITY_POLICY.replace("form-action 'none'", "form-action 'self'")

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class OwnPages:
    """Refuses a change that another site makes a browser ask for (CSRF). What a browser says of a request's origin is looked
    at, and a token that stands in our own pages alone, which no other origin can read."""

    HEADER = "X-CSRF-Token"

    def __init__(self, token: str, *, with_login: bool) -> None:
        """``with_login``: a bearer's token was checked before, and no browser adds that by itself, as it does Basic's."""
        self.token = token
        self._with_login = with_login

    def refusal(self, headers: Headers) -> str:
        """Why it is refused; empty when it is not."""
        if self._with_login and headers.get("authorization", "").lower().startswith("bearer "):
            return ""
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        # of a browser that does not tell the site; behind a proxy the host may be another than the origin's
        foreign = (
            site != "same-origin" if site is not None else origin is not None and urlsplit(origin).netloc != headers.get("host")
        )
        if foreign:
            return "a page of another site asked for this"
        if not hmac.compare_digest(headers.get(self.HEADER, "").encode(), self.token.encode()):
            return "without the token of this server's pages nothing is changed: load the page again"
        return ""


class Security:
    """ASGI middleware (not Starlette's response wrapper, which would hold a stream's first bytes back).

    ``hosts`` are the names a request may ask for: on loopback a foreign name in ``Host`` means that some web page has
    pointed its own name at this machine to read what is served here. None allows every name.
    """

    def __init__(self, app: ASGIApp, *, hosts: Set[str] | None) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        if self._hosts is not None and host_name(Headers(scope=scope).get("host", "")) not in self._hosts:
            refusal = JSONResponse({"error": "this server does not answer to that host name"}, status_code=421)
            await refusal(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)
