"""Login: the code of a link, or the token, becomes a cookie that scripts cannot read and other sites do not send."""

import json
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from tickflag.common.login_code import LIFE_S
from tickflag.common.units import S_PER_DAY
from tickflag.services.dashboard.web.admission import TOKEN_WORDS, Admission
from tickflag.services.dashboard.web.guard import caller_of

KEPT_S = 90 * S_PER_DAY
USED_WORDS = (
    f"a link counts once, for {LIFE_S} s, and this one does not any more: `tickflag dashboard` prints a new one"
)
_MOST_BYTES = 4_096


class Login:
    """`secure`: the cookie is sent over TLS only."""

    def __init__(self, admission: Admission, secure: bool) -> None:
        self._admission, self._secure = admission, secure

    async def by_link(self, request: Request) -> Response:
        """`GET /login?code=...`, as the printed link has it. No address has the token, so no history and no log."""
        page = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        if request.method == "HEAD":  # by who looks what the link is: it must not use the code up
            return page
        token = self._admission.token_for(request.query_params.get("code", ""))
        if token is not None:
            return self._with_cookie(page, token)
        if caller_of(request.scope).trusted:  # the link was opened again in the same browser
            return page
        return PlainTextResponse(f"{USED_WORDS}\n", HTTPStatus.UNAUTHORIZED)

    async def by_form(self, request: Request) -> Response:
        """`POST /api/login` with {"token": "..."}."""
        token = await _token(request)
        if token is None or not self._admission.is_token(token):
            return JSONResponse({"error": f"the token is wrong: {TOKEN_WORDS}"}, HTTPStatus.UNAUTHORIZED)
        return self._with_cookie(JSONResponse({"writable": True}), token)

    async def end(self, request: Request) -> Response:
        """`POST /api/logout`."""
        response = JSONResponse({"writable": False})
        response.delete_cookie(self._admission.cookie, httponly=True, samesite="strict", secure=self._secure)
        return response

    def _with_cookie(self, response: Response, token: str) -> Response:
        response.set_cookie(
            self._admission.cookie,
            token,
            max_age=int(KEPT_S),
            httponly=True,
            samesite="strict",
            secure=self._secure,
        )
        return response


async def _token(request: Request) -> str | None:
    """The token of the body; None where the body is no JSON that holds one."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return None  # a form of another page could send text only
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            return None
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    token = document.get("token") if isinstance(document, dict) else None
    return token if isinstance(token, str) else None
