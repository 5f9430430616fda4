"""SupervisorCommands: what operators ask of the supervisor, and the answers.

supervisor                 pid, and whether it is in safe mode
traders                    every trader, sorted by name
trader    trader           one trader
start, stop                run a trader, or stop it, until the service is started anew
enable, disable            run a trader, or stop it, for good
restart   trader           load its code anew; the old process runs until the new one can

All but the first two name a trader, or its label as `rsi.py`. They answer at once. While `busy` is true in the answer,
and later in that of `trader`, what was asked for has not come about yet.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tickflag.common.errors import MessageError, TickflagError
from tickflag.common.runtime import Runtime
from tickflag.common.wire import sockets
from tickflag.common.wire.arguments import Arguments
from tickflag.common.wire.messages import Reply, Request
from tickflag.common.wire.responder import Responder, replied
from tickflag.services.trader.supervisor.fleet import Fleet
from tickflag.services.trader.supervisor.managed_trader import ManagedTrader

REQUESTS_PER_STEP = 16


class SupervisorCommands:
    """Answers the requests that come to its own socket. One thread."""

    def __init__(self, context: sockets.Context, runtime: Runtime, fleet: Fleet, safe: bool) -> None:
        self._socket = sockets.open_socket(context, runtime, sockets.TRADER_COMMANDS_SERVER, hidden=True)
        self._path = runtime.folder / sockets.TRADER_COMMANDS_SERVER.endpoint
        self._responder = Responder(self._socket, self._answer, self._drop, REQUESTS_PER_STEP)
        self._fleet, self._safe = fleet, safe
        self._actions: dict[str, Callable[[ManagedTrader], None]] = {
            "trader": lambda trader: None,
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
        """Answer the requests that have come; gives how many. Never waits."""
        return self._responder.step()

    def close(self) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _answer(self, request: Request, key: str) -> Reply:
        return replied(request, lambda: self._result(request.what, Arguments(request.what, request.arguments, key)))

    def _drop(self, error: MessageError) -> None:
        """Ignore a message that is no request: nobody waits for an answer."""

    def _result(self, what: str, arguments: Arguments) -> Any:
        if what == "supervisor":
            arguments.end()
            return {"pid": os.getpid(), "safe": self._safe}
        if what == "traders":
            arguments.end()
            return [_described(name, trader) for name, trader in sorted(self._fleet.by_name().items())]
        action = self._actions.get(what)
        if action is None:
            raise TickflagError(f"no command {what!r}: use one of supervisor, traders, {', '.join(self._actions)}")
        wanted = arguments.text("trader")
        arguments.end()
        name, trader = self._find(wanted)
        action(trader)
        return _described(name, trader)

    def _find(self, wanted: str) -> tuple[str, ManagedTrader]:
        """Name and trader of the name or label `wanted`. Raises TickflagError that lists the traders there are."""
        traders = self._fleet.by_name()
        for name, trader in traders.items():
            if wanted in (name, trader.assignment.label):
                return name, trader
        same_file = [name for name, trader in traders.items() if Path(trader.assignment.shown_source).name == wanted]
        why = f"known are {', '.join(sorted(traders)) or 'none so far'}"
        if same_file:
            why = f"that file runs as {', '.join(sorted(same_file))}"
        elif self._safe:
            why = "safe mode loads none"
        raise TickflagError(f"no trader {wanted[:80]!r}: {why}")


def _described(name: str, trader: ManagedTrader) -> dict[str, Any]:
    entry = trader.roster_entry(name).model_dump()
    return {**entry, "label": trader.assignment.label, "busy": trader.busy}
