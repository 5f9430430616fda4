"""Remote: the collector's sockets for other machines. They are encrypted, and for the keys of a folder only."""

from typing import Any

import zmq

from common import sockets
from common.allowlist import AllowList
from common.errors import MessageError, TickflagError
from common.keys import KeyPair, load_pair
from common.log import Logger
from common.responder import Answer, Responder
from common.settings import Settings
from common.sockets import Context, Socket, TcpRole, open_tcp, try_send
from services.collector.gate import Gate

REQUEST_LIMIT = 8


def open_remote(settings: Settings, log: Logger, answer: Answer) -> "Remote | None":
    """As the settings say; None where they name no address. Raises TickflagError without a server key."""
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
    return Remote(addresses, keys, AllowList(settings.allowed_path()), log, answer)


class Port:
    """A socket at an address that may be taken: then it is tried again at the next call."""

    def __init__(self, context: Context, role: TcpRole, keys: KeyPair, address: str, log: Logger) -> None:
        self._context, self._role, self._keys, self._log = context, role, keys, log
        self._address = address
        self._told = False
        self.bound = ""
        """The address with its port; empty where there is none."""
        self.socket = self._opened()

    def try_bind(self) -> None:
        """Bind where it is not bound. Where that is impossible the engine goes on without, and the log says so once."""
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
        self._log.info("open to other machines", setting=self._role.setting, address=self.bound)

    def hang_up(self) -> None:
        """End all connections; the next `try_bind` takes new ones."""
        if self.bound:
            self.socket.unbind(self.bound)
        self.bound, self._told = "", False
        self.socket.close(0)
        self.socket = self._opened()

    def close(self) -> None:
        self.socket.close()

    def _opened(self) -> Socket:
        return open_tcp(self._context, self._role, self._address, self._keys)


class Remote:
    """Owns its sockets and a context of their own, so that strangers keep no thread busy that the engine needs.

    One thread. A key that is taken off the list is out at the next `refresh`: its requests are refused, and the
    followers of the signals are hung up, of whom the allowed ones come back by themselves.
    """

    def __init__(
        self, addresses: dict[str, str], keys: KeyPair, allowed: AllowList, log: Logger, answer: Answer
    ) -> None:
        self._log, self._allowed = log, allowed
        self._context: Context = zmq.Context()
        self._gate = Gate(self._context, lambda: allowed.names)
        self._ports = {
            role: Port(self._context, role, keys, addresses[role.setting], log)
            for role in (sockets.REMOTE_COMMANDS_SERVER, sockets.REMOTE_SIGNALS_OUT)
            if role.setting in addresses
        }
        self._commands = self._ports.get(sockets.REMOTE_COMMANDS_SERVER)
        self._signals = self._ports.get(sockets.REMOTE_SIGNALS_OUT)
        self._responder = None
        if self._commands is not None:
            self._responder = Responder(
                self._commands.socket, answer, self._drop, REQUEST_LIMIT, lambda: self._allowed.names
            )
        self._dropped = self._told_refused = 0
        self._told_trouble: list[str] = []
        self.refresh()

    @property
    def inputs(self) -> tuple[Socket, ...]:
        """What to wait on; the same for life."""
        return (self._gate.socket, *((self._commands.socket,) if self._commands else ()))

    def step(self) -> int:
        """Let in, and answer; gives how many messages that were. Never waits."""
        taken = self._gate.step()
        return taken + self._responder.step() if self._responder else taken

    def publish(self, frame: bytes) -> None:
        """Send one frame of the signal feed."""
        if self._signals is not None:
            try_send(self._signals.socket, frame)

    def refresh(self) -> None:
        """Look at the folder of keys and at the addresses again. For each heartbeat."""
        if self._allowed.refresh() and self._signals is not None:
            self._signals.hang_up()
        else:
            for port in self._ports.values():
                port.try_bind()
        if self._allowed.trouble != self._told_trouble:
            self._told_trouble = self._allowed.trouble
            for trouble in self._told_trouble:
                self._log.warning("keys of other machines", trouble=trouble)
        if self._gate.refused != self._told_refused:
            count, self._told_refused = self._gate.refused - self._told_refused, self._gate.refused
            self._log.warning("strangers refused", count=count, last=self._gate.last_refused)

    def about(self) -> dict[str, Any]:
        """For the status."""
        return {
            "remote_commands": self._commands.bound if self._commands else "",
            "remote_signals": self._signals.bound if self._signals else "",
            "remote_keys": sorted(self._allowed.names.values()),
            "remote_refused": self._gate.refused,
            "remote_dropped": self._dropped,
        }

    def close(self) -> None:
        """Release the sockets; what was published last is let out."""
        self._gate.close()
        for port in self._ports.values():
            port.close()
        self._context.term()

    def _drop(self, _error: MessageError) -> None:
        self._dropped += 1
