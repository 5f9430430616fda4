"""Where the dashboard is reached: its listening socket, its certificate, its address in words."""

import errno
import ipaddress
import socket
import ssl
from typing import NamedTuple

from tickflag.common.errors import TickflagError
from tickflag.common.log import Logger
from tickflag.common.settings_schema.dashboard import DashboardBlock

PORTS = 100  # to try one after the other, first the one that is set
_LAST_PORT = 65_535
_BACKLOG = 128


class ListeningPlace(NamedTuple):
    """A socket that listens."""

    listener: socket.socket
    url: str
    loopback: bool
    """Whether this machine alone can reach it."""
    tls: ssl.SSLContext | None
    names: tuple[str, ...]
    """Names by which browsers may reach it, besides `localhost` and numbers."""


def open_place(block: DashboardBlock, log: Logger) -> ListeningPlace | None:
    """Listen at the port that is set, or the next free one, and say so in the log; None where there is none.

    Raises TickflagError where the settings would open the dashboard to other machines without TLS, or the certificate
    cannot be used.
    """
    tls = _tls(block)
    try:
        family, _, _, _, resolved = socket.getaddrinfo(block.host, block.port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TickflagError(
            f"setting `dashboard.host`: {block.host!r} is no address of this machine: {reason}"
        ) from None
    host = str(resolved[0])
    loopback = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    if not loopback and tls is None:
        raise TickflagError(
            f"setting `dashboard.host`: {block.host} opens the dashboard to other machines, which needs TLS: set "
            "`dashboard.tls_cert` and `dashboard.tls_key`, or 127.0.0.1"
        )
    listener = _listener(family, host, block.port, log)
    if listener is None:
        return None
    shown = socket.gethostname() if ipaddress.ip_address(host.partition("%")[0]).is_unspecified else host
    name = f"[{shown}]" if ":" in shown else shown
    url = f"{'https' if tls else 'http'}://{name}:{listener.getsockname()[1]}"
    return ListeningPlace(
        listener, url, loopback, tls, (block.host,) if loopback else (block.host, socket.gethostname())
    )


def _listener(family: int, host: str, port: int, log: Logger) -> socket.socket | None:
    reason = ""
    for candidate in range(port, min(port + PORTS - 1, _LAST_PORT) + 1):
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was ours a moment ago
            listener.bind((host, candidate))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            reason = error.strerror or str(error)
            if error.errno == errno.EADDRINUSE:
                continue
            break
        if candidate != port:
            log.warning("dashboard port taken, the next one is used", taken=port, used=candidate)
        return listener
    log.warning("no dashboard", host=host, port=port, reason=reason, do="set `dashboard.host` and `dashboard.port`")
    return None


def _tls(block: DashboardBlock) -> ssl.SSLContext | None:
    if not block.tls_cert and not block.tls_key:
        return None
    if not (block.tls_cert and block.tls_key):
        missing = "tls_key" if block.tls_cert else "tls_cert"
        raise TickflagError(f"setting `dashboard.{missing}`: TLS needs a certificate and its key: set both")
    for name in ("tls_cert", "tls_key"):
        path = getattr(block, name)
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise TickflagError(f"setting `dashboard.{name}`: {path}: {error.strerror}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(block.tls_cert, block.tls_key, password=lambda: "")  # never ask at a terminal
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or str(error)
        raise TickflagError(
            f"settings `dashboard.tls_cert` and `dashboard.tls_key`: {block.tls_cert} and {block.tls_key} cannot be "
            f"used: {reason.lower().replace('_', ' ')}: they must be PEM, belong together, and the key must have no "
            "password"
        ) from None
    return context
