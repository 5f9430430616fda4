"""WebServer: uvicorn in this thread, until the service is to end."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from tickflag.common.lifecycle import Stop
from tickflag.common.log import Logger
from tickflag.services.dashboard.web.address import ListeningPlace
from tickflag.services.dashboard.web.connections import OpenConnections
from tickflag.services.dashboard.web.guard import Application
from tickflag.services.dashboard.web.socket import MESSAGE_BYTES

CONNECTIONS = 256
END_S = 1.0
"""For those who are being answered, when the service ends."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # `Stop` has them


def serve(make: Callable[[Callable[[Any], None]], Application], place: ListeningPlace, log: Logger, stop: Stop) -> None:
    """Serve at the place until `stop` is requested. `make` makes the application of a function that ends the connection
    with a peer."""
    asyncio.run(_serve(make, place, log, stop))


async def _serve(
    make: Callable[[Callable[[Any], None]], Application], place: ListeningPlace, log: Logger, stop: Stop
) -> None:
    server: _Server

    def hang_up(client: Any) -> None:
        OpenConnections(server.server_state.connections).hang_up(client)

    with _logged(log):
        config = uvicorn.Config(
            make(hang_up),
            http="h11",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=int(END_S),
            ws_max_size=MESSAGE_BYTES,
            ws_per_message_deflate=False,
        )
        config.load()
        config.ssl = place.tls
        server = _Server(config)
        loop = asyncio.get_running_loop()

        def look() -> None:
            if stop.requested:
                server.should_exit = True

        loop.add_reader(stop.fileno(), look)
        watch = loop.create_task(OpenConnections(server.server_state.connections).watch())
        try:
            look()
            await server.serve(sockets=[place.listener])
        finally:
            watch.cancel()
            loop.remove_reader(stop.fileno())
            place.listener.close()


@contextlib.contextmanager
def _logged(log: Logger) -> Iterator[None]:
    """Put what uvicorn says into our log."""

    class UvicornLog(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            log.log(record.levelno, "web", said=record.getMessage().strip(), exc_info=record.exc_info or None)

    logger, handler = logging.getLogger("uvicorn"), UvicornLog(logging.WARNING)
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
