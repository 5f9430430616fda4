"""DashboardGuard: lets only admitted requests through to the application; every answer gets the headers of safety."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from tickflag.services.dashboard.web.admission import Admission, Barred, Caller

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; connect-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_RAW = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
LISTS = "/api/lists/"
_CALLER = "tickflag.caller"


class DashboardGuard:
    """An application round another. `caller_of` tells the inner one who asks."""

    def __init__(self, inner: Application, admission: Admission) -> None:
        self._inner, self._admission = inner, admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client, path = scope.get("client"), scope["path"]
        answer = _with_headers(send)
        try:
            caller = self._admission.admit(
                scope["headers"], client[0] if client else "", scope.get("method", "GET"), path
            )
            self._admission.check(caller, path)
        except Barred as barred:
            await _refuse(barred, path)(scope, receive, answer)
            return
        scope[_CALLER] = caller
        await self._inner(scope, receive, answer)


def caller_of(scope: Scope) -> Caller:
    """Who sends the request that was let through."""
    caller: Caller = scope[_CALLER]
    return caller


def refusal(path: str, words: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal of the API, in plain words.

    Below the lists its type is not `application/json`: freqtrade looks at the type alone, and would take it for a list
    without pairs, in place of keeping the last one.
    """
    kind = "application/problem+json" if path.startswith(LISTS) else "application/json"
    return JSONResponse({"error": words}, status, dict(headers or {}), kind)


def _refuse(barred: Barred, path: str) -> Application:
    headers = {"www-authenticate": "Bearer"} if barred.status == 401 else {}
    answer: Response
    if path.startswith("/api/"):
        answer = refusal(path, str(barred), barred.status, headers)
    else:
        answer = PlainTextResponse(f"{barred}\n", barred.status, headers)

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()  # the wish to connect
            await send({"type": "websocket.close", "code": 1008, "reason": str(barred)})  # which the server makes 403
        else:
            await answer(scope, receive, send)

    return respond


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), *_RAW]
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": headers}
        await send(message)

    return sending
