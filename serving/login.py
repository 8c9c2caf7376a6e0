"""Login by one token: a page for people, a header for programs. Without a token, no login is needed.

The cookie is not the token but a MAC under it, with an end; a changed token ends every session.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Set
from math import ceil
from urllib.parse import parse_qs, quote

import msgspec
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from clickstream.errors import UserMistake
from clickstream.serving.api.routes import body
from clickstream.serving.pages.frame import PAGES
from clickstream.serving.security import FORM_POLICY

COOKIE = "clickstream-session"
#: How long a person stays in.
SESSION_S = 12 * 3600
#: A shorter one could be guessed by trying.
LEAST_CHARACTERS = 16
_OPEN = frozenset({"/login", "/healthz", "/readyz", "/favicon.ico"})
_OPEN_FOLDER = "/static/"
#: What the gateway offers to the shop's own pages and servers.
_CLIENTS_FOLDER = "/v1/recommendations/"


class _Client(msgspec.Struct):
    sha256: str


class _Clients(msgspec.Struct):
    keys: list[_Client]


def client_keys(content: str) -> frozenset[str]:
    """The hashes in the file of `clickstream collect keys`. Raises UserMistake."""
    try:
        return frozenset(each.sha256 for each in msgspec.json.decode(content, type=_Clients).keys)
    except msgspec.MsgspecError as error:
        raise UserMistake(f"COLLECTOR_KEYS is no file of keys: {error}", hint="see `clickstream collect keys`") from error


class Guesses:
    """Wrong tokens by address. Only a few a minute are allowed, so that the token cannot be found by trying."""

    MOST = 10
    PERIOD_S = 60
    _ADDRESSES = 10_000

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._wrong: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """Until this address may try again; 0: now."""
        until, count = self._wrong.get(address, (0.0, 0))
        return max(0, ceil(until - self._clock_s())) if count >= self.MOST else 0

    def wrong(self, address: str) -> None:
        until, count = self._wrong.pop(address, (0.0, 0))
        if until <= self._clock_s():
            until, count = self._clock_s() + self.PERIOD_S, 0
        self._wrong[address] = until, count + 1
        if len(self._wrong) > self._ADDRESSES:
            self._wrong.popitem(last=False)


class Login:
    """Decides which requests are admitted. ``clock_s``: seconds since the epoch."""

    def __init__(self, token: str, clock_s: Callable[[], float], client_keys: Set[str] = frozenset()) -> None:
        self._token = token.encode()
        self._key = hashlib.sha256(b"clickstream session\0" + self._token).digest()
        self._clock_s = clock_s
        self._client_keys = client_keys
        self.guesses = Guesses(clock_s)

    def admits_client(self, path: str, headers: Headers) -> bool:
        """Recommendations, which the gateway forwards with a client's key that it has checked as well."""
        given = hashlib.sha256(headers.get("x-api-key", "").encode()).hexdigest()
        return path.startswith(_CLIENTS_FOLDER) and given in self._client_keys

    def admits(self, headers: Headers, cookie: str) -> bool:
        """True for the right ``Authorization: Bearer``, or a session that has not ended."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.is_token(given.strip())
        end, _, mac = cookie.partition(".")
        if not (end.isascii() and end.isdecimal() and len(end) < 20) or int(end) < self._clock_s():
            return False
        return hmac.compare_digest(mac.encode(), self._mac(end).encode())

    def is_token(self, given: str) -> bool:
        """Compares in constant time."""
        return hmac.compare_digest(given.encode(), self._token)

    def session(self) -> str:
        end = str(int(self._clock_s()) + SESSION_S)
        return f"{end}.{self._mac(end)}"

    def page_token(self) -> str:
        """For :class:`clickstream.serving.security.OwnPages`: the same on every server with this login."""
        return self._mac("pages")

    def _mac(self, end: str) -> str:
        return hmac.digest(self._key, end.encode(), "sha256").hex()


class LoginRequired:
    """ASGI middleware: a request for a page is redirected to the login, the API answers 401."""

    def __init__(self, app: ASGIApp, *, login: Login) -> None:
        self._app = app
        self._login = login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(Request(scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        path, headers, guesses = request.scope["path"], request.headers, self._login.guesses
        if path in _OPEN or path.startswith(_OPEN_FOLDER) or self._login.admits_client(path, headers):
            return None
        address, is_guess = _address(request), "authorization" in headers
        if is_guess and (wait_s := guesses.wait_s(address)):
            return JSONResponse({"error": "too many wrong tokens"}, 429, {"Retry-After": str(wait_s)})
        if self._login.admits(headers, request.cookies.get(COOKIE, "")):
            return None
        if is_guess:
            guesses.wrong(address)
        if "text/html" in headers.get("accept", ""):
            return RedirectResponse(f"/login?next={quote(request.url.path)}", 303)
        hint = "send `Authorization: Bearer TOKEN`, or log in at /login"
        return JSONResponse({"error": "a login is needed", "hint": hint}, 401, {"WWW-Authenticate": "Bearer"})


class LoginPage:
    """``GET /login`` shows the form, ``POST /login`` takes it."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._html = (PAGES / "login.html").read_bytes()

    async def answer(self, request: Request) -> Response:
        if request.method != "POST":
            return self._form(200)
        try:
            sent = await body(request)
        except HTTPException as refused:
            return self._form(refused.status_code)
        guesses, address = self._login.guesses, _address(request)
        if wait_s := guesses.wait_s(address):
            return self._form(429, wait_s)
        given = parse_qs(sent.decode("utf-8", "replace")).get("token", [""])[0]
        if not self._login.is_token(given.strip()):
            guesses.wrong(address)
            return self._form(403)
        answer = RedirectResponse(_own(request.query_params.get("next", "/")), 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, self._login.session(), SESSION_S, secure=secure, httponly=True, samesite="strict")
        return answer

    def _form(self, status: int, wait_s: int | None = None) -> Response:
        said = {200: b"", 429: b"Too many wrong tokens: wait a minute."}.get(status, b"That was not the token.")
        headers = {"Content-Security-Policy": FORM_POLICY} | ({} if wait_s is None else {"Retry-After": str(wait_s)})
        return Response(self._html.replace(b"{{said}}", said), status, headers, "text/html; charset=utf-8")


def _address(request: Request) -> str:
    return "" if request.client is None else request.client.host


def _own(path: str) -> str:
    """A path of this server, whatever was asked for."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
