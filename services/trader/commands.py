"""Commands: what operators ask of the supervisor, and the answers.

supervisor                 pid, and whether it is in safe mode
traders                    every trader, sorted by name
trader    trader           one of them
start, stop                run a trader, or not, until the service is started anew
enable, disable            the same, for good
restart   trader           load its code anew; the old process runs until then

All but the first two name a trader, or its label as `rsi.py`. They answer at once; `busy` of the answer, and of
`trader` later, tells whether it has come about.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import sockets
from common.errors import MessageError, TickflagError
from common.messages import Reply, Request
from common.responder import Responder, replied
from common.runtime import Runtime
from services.trader.child import Child
from services.trader.fleet import Fleet

REQUESTS_PER_TURN = 16


class Commands:
    """Takes requests from its socket, which it owns."""

    def __init__(self, context: sockets.Context, runtime: Runtime, fleet: Fleet, safe: bool) -> None:
        self._socket = sockets.open_socket(context, runtime, sockets.TRADER_COMMANDS_SERVER)
        self._path = runtime.folder / sockets.TRADER_COMMANDS_SERVER.endpoint
        self._responder = Responder(self._socket, self._answer, self._drop, REQUESTS_PER_TURN)
        self._fleet, self._safe = fleet, safe
        self._orders: dict[str, Callable[[Child], None]] = {
            "trader": lambda child: None,
            "start": fleet.start,
            "stop": fleet.stop,
            "restart": fleet.restart,
            "enable": fleet.enable,
            "disable": fleet.disable,
        }

    @property
    def socket(self) -> sockets.Socket:
        """To poll."""
        return self._socket

    def step(self) -> int:
        """Answer what has come; gives how many requests that were. Never waits."""
        return self._responder.step()

    def close(self) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _answer(self, request: Request, _key: str) -> Reply:
        return replied(request, lambda: self._result(request.what, request.arguments))

    def _drop(self, error: MessageError) -> None:
        """A message that is no request has no answer."""

    def _result(self, what: str, arguments: dict[str, Any]) -> Any:
        wanted = {"trader"} if what in self._orders else set()
        if what not in (*self._orders, "supervisor", "traders"):
            raise TickflagError(f"no command {what!r}: use one of supervisor, traders, {', '.join(self._orders)}")
        if arguments.keys() != wanted:
            raise TickflagError(f"{what!r} takes {'the argument `trader` and no other' if wanted else 'no argument'}")
        if what == "supervisor":
            return {"pid": os.getpid(), "safe": self._safe}
        shown = self._fleet.shown()
        if what == "traders":
            return [_described(name, child) for name, child in sorted(shown.items())]
        wanted_name = arguments["trader"]
        if not isinstance(wanted_name, str):
            raise TickflagError(f"{what!r}: `trader` must be a text, not {type(wanted_name).__name__}")
        found = [(name, child) for name, child in shown.items() if wanted_name in (name, child.assignment.label)]
        if not found:
            same = [name for name, child in shown.items() if Path(child.assignment.shown_source).name == wanted_name]
            why = f"known are {', '.join(sorted(shown)) or 'none so far'}"
            if same:
                why = f"that file runs as {', '.join(sorted(same))}"
            elif self._safe:
                why = "safe mode loads none"
            raise TickflagError(f"no trader {wanted_name[:80]!r}: {why}")
        name, child = found[0]
        self._orders[what](child)
        return _described(name, child)


def _described(name: str, child: Child) -> dict[str, Any]:
    return {**child.entry(name).model_dump(), "label": child.assignment.label, "busy": child.busy}
