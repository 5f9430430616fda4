"""SignalsExport: all signals that fit, out of the journal as CSV, page by page as the peer takes them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tickflag.common.errors import TickflagError
from tickflag.services.dashboard.hub.hub import Hub
from tickflag.services.dashboard.hub.topics.arguments import TopicArguments
from tickflag.services.dashboard.hub.topics.signals import search_of
from tickflag.services.dashboard.web.api import ANSWER_S, whole_number
from tickflag.services.dashboard.web.lists import TEXT_TYPES, csv_lines, utc

MOST_EXPORTED = 100_000
_PAGE = 2_000
_COLUMNS = ("seq", "event", "symbol", "trader", "score", "cycle", "note")
_LARGEST = 2**53 - 1


class SignalsExport:
    """In the loop's thread. A file that is not whole says why in its last line, which begins with `#`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def answer(self, request: Request) -> Response:
        """`GET /api/signals.csv`: newest first; with `since` oldest first. Raises TickflagError."""
        query: dict[str, Any] = dict(request.query_params)
        most = whole_number(request, "count", 1, MOST_EXPORTED) or MOST_EXPORTED
        query.pop("count", None)
        query |= {name: whole_number(request, name, 0, _LARGEST) for name in ("since", "before", "time_ms")}
        arguments = TopicArguments("signals.csv", query)
        place, filters = search_of(arguments)
        arguments.end()
        first = await self._page({**place, **filters}, most)
        headers = {"content-type": TEXT_TYPES["csv"], "content-disposition": 'attachment; filename="signals.csv"'}
        if request.method == "HEAD":
            return Response(headers=headers)
        return StreamingResponse(self._lines(first, filters, "since" in place, most), headers=headers)

    async def _page(self, wanted: Mapping[str, Any], left: int) -> dict[str, Any]:
        future = self._hub.find_signals({**wanted, "limit": min(left, _PAGE)})
        try:
            page: dict[str, Any] = await asyncio.wait_for(asyncio.wrap_future(future), ANSWER_S)
        except TimeoutError:
            raise TickflagError(f"the engine did not answer within {ANSWER_S:g} s") from None
        return page

    async def _lines(
        self, page: dict[str, Any], filters: Mapping[str, str], upwards: bool, left: int
    ) -> AsyncIterator[str]:
        yield csv_lines([["time", *_COLUMNS]])
        step, most = "since" if upwards else "before", left
        while True:
            signals = page["signals"]
            yield csv_lines([utc(one["time_ms"]), *(one[name] for name in _COLUMNS)] for one in signals)
            left -= len(signals)
            if page["whole"]:
                return
            if not left:
                yield f"# this file ends after {most:,} signals: {step}={page['reached']} gives the next ones\r\n"
                return
            wanted = {step: page["reached"], "journal_id": page["journal_id"], **filters}
            try:
                page = await self._page(wanted, left)
            except TickflagError as error:
                yield f"# the file ends here: {' '.join(str(error).split())}\r\n"
                return
