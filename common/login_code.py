"""Login codes: what a link to the dashboard holds in place of the token.

A code is made of the token by whoever may read its file, and taken for the token once, within `LIFE_S`. So neither the
list of processes nor a browser's history nor a proxy's log ever has the token, and what they have is worth nothing.

    code    issued, UTC ms, hexadecimal . random text . HMAC-SHA256 of both under the token, URL-safe base64
"""

import base64
import hmac
import re
import secrets
import time
from collections.abc import Callable

from tickflag.common.units import MS_PER_S

LIFE_S = 120
_FORM = re.compile(r"([0-9a-f]{1,12})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")
_RANDOM_BYTES = 16
_PURPOSE = "tickflag login"


def make_code(token: str, clock: Callable[[], float] = time.time) -> str:
    """A new code for the token."""
    head = f"{int(clock() * MS_PER_S):x}.{secrets.token_urlsafe(_RANDOM_BYTES)}"
    return f"{head}.{_seal(token, head)}"


class LoginCodes:
    """Takes codes, each once. One thread. Those that were made before this object are too old: it does not know which
    of them were used."""

    def __init__(self, token: str, clock: Callable[[], float] = time.time) -> None:
        self._token, self._clock = token, clock
        self._from_ms = int(clock() * MS_PER_S)
        self._used: dict[str, int] = {}
        """Codes that were used -> when they were made, as long as they would count."""

    def redeem(self, code: str) -> bool:
        """Whether the code counts, which uses it up."""
        parts = _FORM.fullmatch(code)
        if parts is None or not hmac.compare_digest(parts[3], _seal(self._token, f"{parts[1]}.{parts[2]}")):
            return False
        issued_ms, now_ms = int(parts[1], 16), self._clock() * MS_PER_S
        self._used = {one: ms for one, ms in self._used.items() if abs(now_ms - ms) <= LIFE_S * MS_PER_S}
        if code in self._used or issued_ms < self._from_ms or abs(now_ms - issued_ms) > LIFE_S * MS_PER_S:
            return False
        self._used[code] = issued_ms
        return True


def _seal(token: str, head: str) -> str:
    digest = hmac.digest(token.encode(), f"{_PURPOSE} {head}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
