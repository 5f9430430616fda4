"""MetricsServer: serves the newest page of metrics over HTTP, from threads of its own: one lets clients in, and each
client has one.

    GET /metrics      HTTP thread: takes a ticket, waits ----------------------------> answers with the page
                      collector:   sees the ticket, makes the page, shows it ----^

The threads share the bytes of the page and two numbers, but no object that the page tells of.
"""

import errno
import os
import selectors
import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

from tickflag.common.errors import is_shortage
from tickflag.common.limits import keeps_descriptors
from tickflag.common.log import Logger
from tickflag.common.wire.connections import SPARE_OF_STRANGERS
from tickflag.services.collector.metrics.clients import Clients

PATH = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PORTS = 100  # to try one after the other, first the one that is set
CLIENT_S = 2.0  # that a client may be silent, or take nothing of its answer
WAIT_S = 2.0  # for a fresh page; after that the newest page is served
CLOSE_S = 1.0
PAUSE_S = 0.2  # where no client can be let in, as descriptors are short
_LAST_PORT = 65_535


class MetricsServer:
    """Listens at `host` from the start. Where that is impossible, `url` is empty and the log says why.

    Where `port` is taken, it listens at the next free one, and the log says so; port 0 means no server. A slow client
    delays nobody, and is hung up in the end.
    """

    def __init__(self, host: str, port: int, log: Logger) -> None:
        self.url = ""
        self._fresh = threading.Condition()  # guards the fields that follow
        self._page = b""
        self._shown = 0
        """The newest ticket that the page answers."""
        self._asked = 1  # so that there is a page before anybody asks
        self._closing = False
        self._listener = _listener(host, port, log) if port else None
        if self._listener is None:
            return
        self.url = f"http://{_host(self._listener.server_address)}{PATH}"
        self._listener.metrics = self
        self._waker, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, args=(self._listener,), name="metrics", daemon=True)
        self._thread.start()

    @property
    def ticket(self) -> int | None:
        """Number of the newest request that waits for a page, or None. For the collector's thread."""
        with self._fresh:
            return self._asked if self.url and self._asked > self._shown else None

    def show(self, page: bytes, ticket: int) -> None:
        """Serve this page from now on. `ticket` was the newest when the page was begun. For the collector's thread."""
        with self._fresh:
            self._page, self._shown = page, ticket
            self._fresh.notify_all()

    def wait_page(self) -> bytes:
        """A page that was begun after this call. Where none comes in time, the newest one, which may be empty. For the
        HTTP thread."""
        with self._fresh:
            self._asked += 1
            ticket = self._asked
            self._fresh.wait_for(lambda: self._shown >= ticket or self._closing, WAIT_S)
            return self._page

    def close(self) -> None:
        """End the thread and release the port."""
        if self._listener is None:
            return
        with self._fresh:
            self._closing = True
            self._fresh.notify_all()
        self._wake.send(b"\0")
        self._thread.join()
        self._listener.clients.wait_gone(CLOSE_S)  # one in the middle of its request may take longer: let it
        self._listener.server_close()
        self._listener = None
        self._wake.close()
        self._waker.close()

    def _serve(self, listener: "_Listener") -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(self._waker, selectors.EVENT_READ)
            while not self._closing:
                if any(key.fileobj is listener for key, _ in selector.select(listener.clients.hang_up_old())):
                    listener.handle_request()
                if listener.starved:
                    listener.starved = False
                    with self._fresh:
                        self._fresh.wait_for(lambda: self._closing, PAUSE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True  # a port that was ours a moment ago
    timeout = 0  # `handle_request` is called only when a client is there

    metrics: MetricsServer

    def __init__(self, family: socket.AddressFamily, address: Any) -> None:
        self.address_family = family
        self.clients = Clients()
        self.starved = False
        """The last client could not be let in, as descriptors were short: it waits, and would be readable all the
        time."""
        super().__init__(address, _Handler)

    def get_request(self) -> Any:
        try:
            if not keeps_descriptors(SPARE_OF_STRANGERS):  # those are for the engine
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            client, address = super().get_request()
        except OSError as error:
            self.starved = is_shortage(error)
            raise
        self.clients.add(client)
        return client, address

    def shutdown_request(self, request: Any) -> None:
        self.clients.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that is slow, or has gone, is its own business; RuntimeError: no thread could be started for it.
        if not isinstance(sys.exception(), OSError | RuntimeError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    timeout = CLIENT_S
    server_version = "tickflag"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self._answer(404, f"the metrics are at {PATH}\n")
            return
        page = self.server.metrics.wait_page()
        if page:
            self._answer(200, page, CONTENT_TYPE)
        else:
            self._answer(503, "the collector is busy: ask again\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: it does not matter who asks."""

    def _answer(self, status: int, content: bytes | str, kind: str = "text/plain; charset=utf-8") -> None:
        body = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _listener(host: str, port: int, log: Logger) -> _Listener | None:
    """A listener at the first free port; None where there is none, and the log says why."""
    reason = ""
    for candidate in range(port, min(port + PORTS - 1, _LAST_PORT) + 1):
        try:
            family, _, _, _, address = socket.getaddrinfo(host, candidate, type=socket.SOCK_STREAM)[0]
            listener = _Listener(family, address)
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno == errno.EADDRINUSE:
                continue
            break
        if candidate != port:
            log.warning("metrics port taken, the next one is used", taken=port, used=candidate)
        return listener
    log.warning(
        "no metrics",
        host=host,
        port=port,
        reason=reason,
        do="set `collector.metrics_host` and `collector.metrics_port`",
    )
    return None


def _host(address: Any) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
