"""Admission: who may do what, by the headers of a request alone.

A browser sends requests to this machine for any page that is open in it. Three rules keep such pages out:

- Host names an address of ours. A page whose own name was pointed at this machine afterwards (DNS rebinding) sends its
  own name.
- Origin, where there is one, is our own: scheme aside, it equals Host. A page of another origin sends its own origin
  with WebSockets and forms.
- Sec-Fetch-Site, where there is one, is our own, but for a link that somebody follows to a page.

Reading is open where the setting says so, to this machine only. All else needs the token.
"""

import hmac
import ipaddress
import re
from collections.abc import Collection, Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from tickflag.common.login_code import LoginCodes

Right = Literal["nothing", "reading", "token"]

TOKEN_WORDS = "`tickflag dashboard` prints a link that gives it to a browser, with `--token` the token itself"
_OURS = ("same-origin", "none")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
_OPEN = ("/api/login", "/api/logout", "/api/openapi.json")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?")


class Caller(NamedTuple):
    """What the sender of a request may do."""

    trusted: bool
    """Has the token: may change things, and read all."""
    readable: bool
    """May read matches, signals, states and figures."""


class Barred(Exception):  # noqa: N818 - reads as the state it reports
    """The request is refused, with this HTTP status and in these words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Admission:
    """`loopback`: the dashboard listens where this machine alone can reach it. `names` are further names of it."""

    def __init__(
        self, token: str, cookie: str, open_reading: bool, loopback: bool, names: Collection[str] = ()
    ) -> None:
        self.cookie = cookie
        """Name of the cookie that holds the token."""
        self._token, self._codes = token.encode(), LoginCodes(token)
        self._open_reading, self._loopback = open_reading, loopback
        self._names = {"localhost", *(name.lower() for name in names)}

    def admit(self, headers: Iterable[tuple[bytes, bytes]], client: str, method: str, path: str) -> Caller:
        """Who sends it. `client` is the sender's address. A WebSocket's method is GET. Raises Barred."""
        found: dict[str, list[str]] = {}
        for name, value in headers:
            found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        host = _single(found, "host")
        if host is None:
            raise Barred(400, "the request names no host")
        if not self._is_ours(host):
            raise Barred(403, "the request is for another host: add its name to the setting `dashboard.hosts`")
        origin = _single(found, "origin")
        if origin is not None and not _same(origin, host):
            raise Barred(403, "the request comes from a page of another origin")
        if not _followed(found, method, path):
            raise Barred(403, "the request comes from another site")
        trusted = self._has_token(found)
        near = self._loopback or _is_loopback(client)
        if any(name in found for name in _FORWARDED):  # by a proxy, for anybody
            near = False
        return Caller(trusted, trusted or (self._open_reading and near))

    def check(self, caller: Caller, path: str) -> None:
        """Raises Barred where the caller may not have the path."""
        right = right_for(path)
        if (right == "token" and not caller.trusted) or (right == "reading" and not caller.readable):
            raise Barred(401, f"this needs the token: {TOKEN_WORDS}")

    def is_token(self, text: str) -> bool:
        """Whether the text is the token. Takes as long for a text that is nearly right."""
        return hmac.compare_digest(text.encode(errors="surrogateescape"), self._token)

    def token_for(self, code: str) -> str | None:
        """The token, for the code of a link, which counts once; None for another one."""
        return self._token.decode() if self._codes.redeem(code) else None

    def _is_ours(self, host: str) -> bool:
        match = _HOST.fullmatch(host.lower())
        if match is None:
            return False
        name = match[1].strip("[]")
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        # A number cannot be pointed elsewhere.
        return address.is_loopback or not self._loopback or name in self._names

    def _has_token(self, found: dict[str, list[str]]) -> bool:
        authorization = _single(found, "authorization")
        if authorization is not None:
            scheme, _, given = authorization.partition(" ")
            if scheme.lower() != "bearer" or not self.is_token(given.strip()):
                raise Barred(401, f"the token is wrong: {TOKEN_WORDS}")
            return True
        for header in found.get("cookie", ()):
            try:
                morsel = SimpleCookie(header).get(self.cookie)
            except CookieError:
                continue
            if morsel is not None and self.is_token(morsel.value):
                return True
        return False


def right_for(path: str) -> Right:
    """What a path needs. The page itself needs nothing: it holds no figures, and asks for the token."""
    if path == "/api/bundle":
        return "token"
    return "reading" if path.startswith("/api/") and path not in _OPEN else "nothing"


def _single(found: dict[str, list[str]], name: str) -> str | None:
    values = found.get(name)
    if values is None:
        return None
    if len(values) > 1:
        raise Barred(400, f"the header {name} comes twice")
    return values[0].strip()


def _same(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and origin.lower() == f"{parts.scheme}://{host.lower()}"


def _followed(found: dict[str, list[str]], method: str, path: str) -> bool:
    """Whether the request is of our own page, of no page at all, or of somebody who follows a link to our page."""
    site = _single(found, "sec-fetch-site")
    if site is None or site in _OURS:
        return True
    link = _single(found, "sec-fetch-mode") == "navigate" and _single(found, "sec-fetch-dest") == "document"
    return link and method in ("GET", "HEAD") and not path.startswith(("/api/", "/ws"))


def _is_loopback(client: str) -> bool:
    try:
        return ipaddress.ip_address(client).is_loopback
    except ValueError:
        return False
