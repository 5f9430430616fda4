"""MetricsServer: serves the newest page of metrics over HTTP, from a thread of its own.

    GET /metrics      HTTP thread: takes a ticket, waits ----------------------------> answers with the page
                      collector:   sees the ticket, makes the page, shows it ----^

The threads share the page's bytes and two numbers, and nothing of what the page tells of.
"""

import errno
import selectors
import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

from common.log import Logger

PATH = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PORTS = 100  # tried, from the one that is set
CLIENT_S = 2.0  # that a client may take for its request, and again for its answer; others wait meanwhile
WAIT_S = 2.0  # for a fresh page; then the newest one there is
CLOSE_S = 1.0
_LAST_PORT = 65_535


class MetricsServer:
    """Listens at `host` from the start; `url` is empty where it does not. Never raises for an address at fault.

    Where `port` is taken, the next one that is free will do; 0 is none. The log is told of either, once. A client
    that is slow delays other clients only.
    """

    def __init__(self, host: str, port: int, log: Logger) -> None:
        self.url = ""
        self._fresh = threading.Condition()  # guards the following
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
        """Number of the newest request that waits for a page, or None. The collector's."""
        with self._fresh:
            return self._asked if self.url and self._asked > self._shown else None

    def show(self, page: bytes, ticket: int) -> None:
        """This is the page from now on; it was begun when `ticket` was the newest. The collector's."""
        with self._fresh:
            self._page, self._shown = page, ticket
            self._fresh.notify_all()

    def wait_page(self) -> bytes:
        """A page that was begun after this call; after a while the newest, which may be none. The HTTP thread's."""
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
        self._thread.join(CLOSE_S)  # a client in the middle of its request may hold it up for longer: let it
        self._listener.server_close()
        self._listener = None
        self._wake.close()
        self._waker.close()

    def _serve(self, listener: "_Listener") -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(self._waker, selectors.EVENT_READ)
            while not self._closing:
                if any(key.fileobj is listener for key, _ in selector.select()):
                    listener.handle_request()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Listener(socketserver.TCPServer):
    allow_reuse_address = True  # a port that was ours a moment ago
    timeout = 0  # it is asked when there is something

    metrics: MetricsServer

    def __init__(self, family: socket.AddressFamily, address: Any) -> None:
        self.address_family = family
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that is slow, or has gone, is its own business
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
        """Who asks is nothing to log."""

    def _answer(self, status: int, content: bytes | str, kind: str = "text/plain; charset=utf-8") -> None:
        body = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _listener(host: str, port: int, log: Logger) -> _Listener | None:
    """At the first port that is free."""
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
