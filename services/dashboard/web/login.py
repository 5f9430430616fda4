"""Login: the token becomes a cookie that scripts cannot read and other sites do not send."""

import json
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from tickflag.common.units import S_PER_DAY
from tickflag.services.dashboard.web.admission import TOKEN_WORDS, Admission

KEPT_S = 90 * S_PER_DAY
_MOST_BYTES = 4_096


class Login:
    """`secure`: the cookie is sent over TLS only."""

    def __init__(self, admission: Admission, secure: bool) -> None:
        self._admission, self._secure = admission, secure

    async def by_link(self, request: Request) -> Response:
        """`GET /login?token=...`, as the printed link has it. The redirection takes the token out of the address."""
        token = request.query_params.get("token", "")
        if not self._admission.is_token(token):
            return PlainTextResponse(f"the token is wrong: {TOKEN_WORDS}\n", HTTPStatus.UNAUTHORIZED)
        return self._with_cookie(RedirectResponse("/", HTTPStatus.SEE_OTHER), token)

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
