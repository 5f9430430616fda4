"""Health: whether the dashboard lives, and whether the engine is ready, for those who watch processes."""

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tickflag.common.errors import TickflagError
from tickflag.services.dashboard.web.api import Api, json_response
from tickflag.services.dashboard.web.guard import caller_of

NOT_ATTACHED = ("waiting", "restarting", "stale")
"""A trader that an operator stopped, or whose code is at fault, holds up nobody."""


async def alive(_request: Request) -> Response:
    """200 as long as this process answers."""
    return PlainTextResponse("alive\n")


class Readiness:
    """200 where the feed is fresh and each trader that is to run attached, else 503, with reasons for those who may
    read."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def answer(self, request: Request) -> Response:
        try:
            overview = (await self._api.ask(request, "overview", {})).data
            reasons = list(unready(overview))
        except TickflagError as error:
            reasons = [str(error)]
        document: dict[str, Any] = {"ready": not reasons}
        if caller_of(request.scope).readable:
            document["reasons"] = reasons
        return json_response(document, 503 if reasons else 200)


def unready(overview: Any) -> Iterator[str]:
    """Why the engine is not ready; nothing where it is."""
    feed = overview.get("feed", {})
    if feed.get("state") != "running":
        yield f"the feed is {feed.get('state', 'not known')}"
    traders = overview.get("traders", ())
    if not traders:
        yield from [problem["text"] for problem in overview.get("problems", ())] or ["no trader is known"]
    for trader in traders:
        if trader["state"] in NOT_ATTACHED:
            yield f"trader {trader['name']} is {trader['state']}"
