"""Following: the live feed of signals and notices, of this machine's engine or of the one `remote.connect` names."""

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import zmq

from common.codec import decode
from common.errors import TickflagError
from common.messages import AnyMessage
from common.requests import Ask, Connection
from common.settings import Settings
from common.sockets import REMOTE_SIGNALS_IN, SIGNALS_IN, Context, open_socket
from services.cli.connection import remote


@contextmanager
def following(settings: Settings, ask: Ask) -> Iterator[Iterator[AnyMessage]]:
    """The messages as they come, from the moment of entering, without end or until nobody reads our output any more.

    Ask for what was before inside the block: what comes meanwhile waits. Raises TickflagError where we are not let in.
    """
    context: Context = zmq.Context()
    connection: Connection | None = None
    try:
        connection = _connection(context, settings, ask)
        socket = connection.socket if connection else open_socket(context, settings.runtime_folder(), SIGNALS_IN)
        yield _messages(socket, connection)
    finally:
        if connection:
            connection.close()
        context.destroy(0)


def _messages(socket: Any, connection: Connection | None) -> Iterator[AnyMessage]:
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    with contextlib.suppress(OSError):  # standard output that is no file
        poller.register(sys.stdout.fileno(), zmq.POLLERR)
    if connection:
        poller.register(connection.events, zmq.POLLIN)
    while _open(ready := dict(poller.poll())):
        if connection:
            connection.check()
        if socket in ready:
            yield decode(socket.recv())


def _connection(context: Context, settings: Settings, ask: Ask) -> Connection | None:
    """To the signals of another machine, whose collector says at which port they are; None for those of this one."""
    there = remote(settings)
    if there is None:
        return None
    address = ask("status")["collector"].get("remote_signals", "")
    if not address:
        raise TickflagError(
            f"the engine at {there.endpoint} publishes no signals to other machines: set `remote.signals` there, or "
            "leave out `--follow`"
        )
    endpoint = f"{there.endpoint.rpartition(':')[0]}:{address.rpartition(':')[2]}"
    return Connection(context, REMOTE_SIGNALS_IN, there._replace(endpoint=endpoint))


def _open(ready: dict[Any, int]) -> bool:
    """The other end of our output is still open; of a descriptor only that can be told."""
    return all(isinstance(one, zmq.Socket) for one in ready)
