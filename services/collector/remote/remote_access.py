"""RemoteAccess: the collector's sockets for other machines, encrypted, and only for the keys of a folder."""

import time
from typing import Any

import zmq

from tickflag.common.errors import MessageError, TickflagError
from tickflag.common.limits import descriptor_share
from tickflag.common.log import Logger
from tickflag.common.settings import Settings
from tickflag.common.wire import sockets
from tickflag.common.wire.allowlist import AllowList
from tickflag.common.wire.connections import SPARE_OF_STRANGERS, Connections
from tickflag.common.wire.keys import KeyPair, load_pair
from tickflag.common.wire.responder import Answer, Responder
from tickflag.common.wire.sockets import Context, Socket, TcpRole, open_tcp, try_send
from tickflag.services.collector.commands import REQUESTS_PER_STEP
from tickflag.services.collector.remote.zap_handler import ZapHandler

QUIET_S = 60.0  # between two lines about a flood of connections


def open_remote(settings: Settings, log: Logger, answer: Answer) -> "RemoteAccess | None":
    """The sockets at the addresses that the settings name; None where they name none. Raises TickflagError without a
    server key."""
    addresses = {
        role.setting: address
        for role, address in (
            (sockets.REMOTE_COMMANDS_SERVER, settings.remote.commands),
            (sockets.REMOTE_SIGNALS_OUT, settings.remote.signals),
        )
        if address
    }
    if not addresses:
        return None
    try:
        keys = load_pair(settings.server_key_path(), "remote.server_key", "`tickflag keys new-server` makes one")
    except TickflagError as error:
        raise TickflagError(f"setting `{min(addresses)}`: no tcp without a key: {error}") from None
    return RemoteAccess(addresses, keys, AllowList(settings.allowed_path()), log, answer, settings.remote.connections)


class Port:
    """A socket at an address that may be taken; `try_bind` tries again."""

    def __init__(
        self, context: Context, role: TcpRole, keys: KeyPair, address: str, log: Logger, most_connections: int
    ) -> None:
        self._role, self._log = role, log
        self._address = address
        self._told = False
        self.bound = ""
        """The address with its port; empty while the socket is not bound."""
        self.socket = open_tcp(context, role, address, keys)
        self.connections = Connections(
            context, self.socket, descriptor_share(2, 6, most_connections), spare=SPARE_OF_STRANGERS
        )

    def try_bind(self) -> None:
        """Bind the socket unless it is bound. Where that is impossible, the log says so once."""
        if self.bound:
            return
        try:
            self.socket.bind(self._address)
        except zmq.ZMQError as error:
            if not self._told:
                self._told = True
                self._log.warning(
                    "no connections from other machines",
                    setting=self._role.setting,
                    address=self._address,
                    reason=str(error.strerror),
                    do="the engine runs without, and tries again",
                )
            return
        self._told = False
        endpoint: Any = self.socket.last_endpoint
        self._address = self.bound = endpoint.decode()
        self.connections.bound_at(self.bound)
        self._log.info("open to other machines", setting=self._role.setting, address=self.bound)

    def close(self) -> None:
        self.connections.close()
        self.socket.close()


class RemoteAccess:
    """Owns its sockets and a context of their own, so that strangers keep no thread busy that the engine needs. One
    thread.

    A key that is taken off the list is no longer allowed from the next `refresh` on: requests with the key are refused,
    and all followers of the signals are hung up. Followers that are still allowed connect again by themselves.
    """

    def __init__(
        self,
        addresses: dict[str, str],
        keys: KeyPair,
        allowed: AllowList,
        log: Logger,
        answer: Answer,
        most_connections: int,
    ) -> None:
        self._log, self._allowed = log, allowed
        self._context: Context = zmq.Context()
        self._zap_handler = ZapHandler(self._context, lambda: allowed.names)
        self._ports = {
            role: Port(self._context, role, keys, addresses[role.setting], log, most_connections)
            for role in (sockets.REMOTE_COMMANDS_SERVER, sockets.REMOTE_SIGNALS_OUT)
            if role.setting in addresses
        }
        self._commands = self._ports.get(sockets.REMOTE_COMMANDS_SERVER)
        self._signals = self._ports.get(sockets.REMOTE_SIGNALS_OUT)
        self._responder = None
        if self._commands is not None:
            self._responder = Responder(
                self._commands.socket, answer, self._drop, REQUESTS_PER_STEP, lambda: self._allowed.names
            )
        self._dropped = self._refused_before = self._hung_up_before = 0
        self._quiet_until_s = 0.0
        self._told_trouble: list[str] = []
        self.refresh()

    @property
    def inputs(self) -> tuple[Socket, ...]:
        """The sockets to wait on, which never change."""
        watched = (port.connections.socket for port in self._ports.values())
        return (self._zap_handler.socket, *watched, *((self._commands.socket,) if self._commands else ()))

    def step(self) -> int:
        """Let clients in and answer requests; gives how many messages there were. Never waits."""
        messages = self._zap_handler.step() + sum(port.connections.step() for port in self._ports.values())
        return messages + self._responder.step() if self._responder else messages

    def publish(self, frame: bytes) -> None:
        """Send one frame of the signal feed."""
        if self._signals is not None:
            try_send(self._signals.socket, frame)

    def refresh(self) -> None:
        """Read the folder of keys again where it changed; try to bind what is not bound. Call it at each heartbeat."""
        if self._allowed.refresh() and self._signals is not None:
            self._signals.connections.hang_up()
        for port in self._ports.values():
            port.try_bind()
            port.connections.step()  # anything in this process may have freed a descriptor for who waits
        if self._allowed.trouble != self._told_trouble:
            self._told_trouble = self._allowed.trouble
            for trouble in self._told_trouble:
                self._log.warning("keys of other machines", trouble=trouble)
        if self._zap_handler.refused != self._refused_before:
            count, self._refused_before = self._zap_handler.refused - self._refused_before, self._zap_handler.refused
            self._log.warning("strangers refused", count=count, last=self._zap_handler.last_refused)
        self._tell_hung_up(time.monotonic())

    def about(self) -> dict[str, Any]:
        """What the answer to `status` tells of remote access."""
        return {
            "remote_commands": self._commands.bound if self._commands else "",
            "remote_signals": self._signals.bound if self._signals else "",
            "remote_keys": sorted(self._allowed.names.values()),
            "remote_refused": self._zap_handler.refused,
            "remote_dropped": self._dropped,
            "remote_hung_up": self._hung_up,
        }

    def close(self) -> None:
        """Close the sockets, and wait half a second at most for the last signals to leave."""
        self._zap_handler.close()
        for port in self._ports.values():
            port.close()
        self._context.term()

    @property
    def _hung_up(self) -> int:
        return sum(port.connections.refused for port in self._ports.values())

    def _tell_hung_up(self, now_s: float) -> None:
        if self._hung_up != self._hung_up_before and now_s >= self._quiet_until_s:
            self._quiet_until_s = now_s + QUIET_S
            count, self._hung_up_before = self._hung_up - self._hung_up_before, self._hung_up
            self._log.warning(
                "connections hung up",
                count=count,
                reason=", ".join(filter(None, (port.connections.reason for port in self._ports.values()))),
                do="let a firewall keep strangers from the ports",
            )

    def _drop(self, _error: MessageError) -> None:
        self._dropped += 1
