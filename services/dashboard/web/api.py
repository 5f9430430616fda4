"""The JSON API: read-only, one answer of the hub a request. `openapi.json` describes it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from tickflag.common.errors import TickflagError
from tickflag.services.dashboard.hub.answer import Answer, dumps
from tickflag.services.dashboard.hub.hub import Hub
from tickflag.services.dashboard.hub.matches.match_table import STALE
from tickflag.services.dashboard.hub.refusals import NotFound, Refused, TokenNeeded
from tickflag.services.dashboard.web.guard import caller_of, refusal
from tickflag.services.dashboard.web.lists import LISTS, TEXT_TYPES

ANSWER_S = 10.0
MOST_ROWS = 5_000
MOST_SIGNALS = 1_000
_WINDOW, _FILTERS = ("count", "first"), ("trader", "symbol", "event")
OPENAPI = Path(__file__).with_name("openapi.json")


def json_response(document: Any, status: int = HTTPStatus.OK) -> Response:
    """JSON of ours: no NaN, names in their own letters."""
    return Response(dumps(document), status, media_type="application/json")


class ApiRoute(Route):
    """A route that refuses other methods in the words of the API. No two of them may have the same path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        found, child = super().matches(scope)
        return (Match.FULL if found is Match.PARTIAL else found), child

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        methods = sorted(self.methods or ())
        if scope["method"] in methods:
            await super().handle(scope, receive, send)
            return
        words = f"{scope['method'][:20]} does nothing here: use {' or '.join(methods)}"
        answer = refusal(scope["path"], words, HTTPStatus.METHOD_NOT_ALLOWED, {"allow": ", ".join(methods)})
        await answer(scope, receive, send)


async def no_such_address(request: Request) -> Response:
    """The answer at an address below `/api` that there is not."""
    return refusal(request.url.path, "there is nothing at this address: see /api/openapi.json", HTTPStatus.NOT_FOUND)


class Api:
    """Asks the hub. In the loop's thread."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[Route]:
        """Every address of the API but those of the login and the bundle."""
        answers: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/api/status": self._status,
            "/api/traders": self._traders,
            "/api/matches/{trader:path}": self._matches,
            "/api/symbols/{symbol:path}": self._symbol,
            "/api/signals": self._signals,
            "/api/lists/{list:path}": self._list,
            "/api/openapi.json": _openapi,
        }
        return [ApiRoute(path, told(answer), methods=["GET"]) for path, answer in answers.items()]

    async def ask(self, request: Request, topic: str, arguments: Mapping[str, Any]) -> Answer:
        """The hub's answer. Raises TickflagError."""
        future = self._hub.once(topic, arguments, caller_of(request.scope).trusted)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), ANSWER_S)
        except TimeoutError:
            raise TickflagError(f"the engine did not answer within {ANSWER_S:g} s") from None

    async def _status(self, request: Request) -> Response:
        check_names(request)
        return json_response((await self.ask(request, "overview", {})).document())

    async def _traders(self, request: Request) -> Response:
        check_names(request)
        return json_response((await self.ask(request, "traders", {})).document())

    async def _matches(self, request: Request) -> Response:
        check_names(request, *_WINDOW)
        answer = await self._rows(request, request.path_params["trader"])
        return json_response(answer.document())

    async def _symbol(self, request: Request) -> Response:
        check_names(request)
        answer = await self.ask(request, "symbol", {"symbol": request.path_params["symbol"]})
        if answer.data.get("known") is False:
            raise NotFound(f"there is no symbol {request.path_params['symbol']!r}")
        return json_response(answer.document())

    async def _signals(self, request: Request) -> Response:
        """Oldest first, so that the last number is where the next request goes on."""
        check_names(request, "journal", "since", "count", *_FILTERS)
        since = whole_number(request, "since", 0, 2**53 - 1)
        count = whole_number(request, "count", 1, MOST_SIGNALS) or 200
        filters = {name: request.query_params[name] for name in _FILTERS if name in request.query_params}
        answer = await self.ask(request, "signals", {"since": since, "count": count, **filters})
        wanted = request.query_params.get("journal", "")
        if wanted and since is not None and answer.data["journal_id"] != wanted:
            # The numbers of another journal say nothing here: begin at its beginning.
            answer = await self.ask(request, "signals", {"since": 0, "count": count, **filters})
        document = answer.document()
        if away := document.pop("away", ""):
            raise TickflagError(away)  # the newest that is known may be old
        document["signals"] = document["signals"][::-1]
        return json_response(document)

    async def _list(self, request: Request) -> Response:
        trader, dot, kind = request.path_params["list"].rpartition(".")
        if not dot or kind not in LISTS:
            raise NotFound(f"a list ends in {', '.join(f'.{one}' for one in LISTS)}")
        check_names(request, "count", *(["exchange"] if kind == "txt" else []))
        listed = LISTS[kind](await self._sure_rows(request, trader), request.query_params)
        if not isinstance(listed, str):
            return json_response(listed)
        return Response(listed, headers={"content-type": TEXT_TYPES[kind]})

    async def _sure_rows(self, request: Request, trader: str) -> list[dict[str, Any]]:
        """The matches that are up to date, for a bot that acts on them. Raises TickflagError where none can be."""
        document = (await self._rows(request, trader)).document()
        feed = (await self.ask(request, "overview", {})).data["feed"]
        if document["away"] or feed["state"] != "running":
            raise TickflagError(document["away"] or f"the feed is {feed['state']}")
        return [row for row in document["rows"] if row["mark"] != STALE]

    async def _rows(self, request: Request, trader: str) -> Answer:
        count = whole_number(request, "count", 1, MOST_ROWS) or MOST_ROWS
        first = whole_number(request, "first", 0, 10_000_000) or 0
        window = {"traders": [trader], "sort": [["score", "desc"]], "first": first, "count": count}
        return await self.ask(request, "matches", {**window, "rows": "matching"})


def told(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The answer, or why there is none, as JSON."""

    async def respond(request: Request) -> Response:
        try:
            return await answer(request)
        except TickflagError as error:
            return refusal(request.url.path, str(error), status_of(error))

    return respond


def status_of(error: TickflagError) -> int:
    """The HTTP status that a refusal of the hub has."""
    if isinstance(error, NotFound):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, TokenNeeded):
        return HTTPStatus.UNAUTHORIZED
    return HTTPStatus.BAD_REQUEST if isinstance(error, Refused) else HTTPStatus.SERVICE_UNAVAILABLE


async def _openapi(_request: Request) -> Response:
    return Response(OPENAPI.read_bytes(), media_type="application/json")


def check_names(request: Request, *known: str) -> None:
    """Raises Refused where the query has an argument that means nothing here."""
    for name in request.query_params:
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "there are none"
            raise Refused(f"{request.url.path} has no argument {name[:40]!r}: {there}")


def whole_number(request: Request, name: str, least: int, most: int) -> int | None:
    """A whole number of the query; None where it is not given. Raises Refused."""
    text = request.query_params.get(name, "")
    if text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and least <= int(text) <= most):
        raise Refused(f"`{name}` must be a whole number from {least:,} to {most:,}, not {text[:40]!r}")
    return int(text)
