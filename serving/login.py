"""Login by one token: a page for people, a header for programs. Without a token everybody who gets here is in.

The cookie is not the token but a MAC under it, with an end; a changed token ends every session.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serving import pages
from serving.security import FORM_POLICY

COOKIE = "clickstream-session"
#: How long a person stays in.
SESSION_S = 12 * 3600
#: A shorter one could be guessed by trying.
LEAST_CHARACTERS = 16
_OPEN = frozenset({"/login", "/healthz", "/readyz", "/favicon.ico"})
_OPEN_FOLDER = "/static/"


def new_token() -> str:
    return secrets.token_urlsafe(24)


class Login:
    """Decides who is in. ``clock_s``: seconds since the epoch."""

    def __init__(self, token: str, clock_s: Callable[[], float]) -> None:
        self._token = token.encode()
        self._key = hashlib.sha256(b"clickstream session\0" + self._token).digest()
        self._clock_s = clock_s

    def admits(self, headers: Headers, cookie: str) -> bool:
        """True for the right ``Authorization: Bearer``, or a session that has not ended."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.is_token(given.strip())
        return self.admits_session(cookie)

    def admits_session(self, cookie: str) -> bool:
        """True for a cookie's value that was made under this token and has not ended."""
        end, _, mac = cookie.partition(".")
        if not (end.isascii() and end.isdecimal() and len(end) < 20) or int(end) < self._clock_s():
            return False
        return hmac.compare_digest(mac.encode(), self._mac(end).encode())

    def is_token(self, given: str) -> bool:
        """Compares in a time that tells nothing of the token."""
        return hmac.compare_digest(given.encode(), self._token)

    def session(self) -> str:
        """A cookie's value."""
        end = str(int(self._clock_s()) + SESSION_S)
        return f"{end}.{self._mac(end)}"

    def _mac(self, end: str) -> str:
        return hmac.digest(self._key, end.encode(), "sha256").hex()


class LoginRequired:
    """ASGI middleware: a page goes to the login, the API answers 401."""

    def __init__(self, app: ASGIApp, *, login: Login) -> None:
        self._app = app
        self._login = login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _OPEN or scope["path"].startswith(_OPEN_FOLDER):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if self._login.admits(request.headers, request.cookies.get(COOKIE, "")):
            await self._app(scope, receive, send)
            return
        answer: Response
        if "text/html" in request.headers.get("accept", ""):
            answer = RedirectResponse(f"/login?next={quote(request.url.path)}", 303)
        else:
            hint = "send `Authorization: Bearer TOKEN`, or log in at /login"
            answer = JSONResponse({"error": "a login is needed", "hint": hint}, 401, {"WWW-Authenticate": "Bearer"})
        await answer(scope, receive, send)


class LoginPage:
    """``GET /login`` shows the form, ``POST /login`` takes it."""

    _MOST_BYTES = 4096

    def __init__(self, login: Login) -> None:
        self._login = login
        self._html = pages.login()

    async def answer(self, request: Request) -> Response:
        if request.method != "POST":
            return self._form(200)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._MOST_BYTES:
                return self._form(413)
        given = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0]
        if not self._login.is_token(given.strip()):
            return self._form(403)
        answer = RedirectResponse(_own(request.query_params.get("next", "/")), 303)
        answer.set_cookie(
            COOKIE,
            self._login.session(),
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    def _form(self, status: int) -> Response:
        said = b"" if status == 200 else b"That was not the token."
        html = self._html.replace(b"{{said}}", said)
        return Response(html, status, {"Content-Security-Policy": FORM_POLICY}, "text/html; charset=utf-8")


def _own(path: str) -> str:
    """A path of this server, whatever was asked for."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
