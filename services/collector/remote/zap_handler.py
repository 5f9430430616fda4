"""ZapHandler: decides for ZeroMQ which clients of other machines may connect (ZAP, https://rfc.zeromq.org/spec/27)."""

from collections.abc import Callable, Mapping

import zmq
from zmq.utils import z85

from tickflag.common.wire.sockets import ZAP_DOMAIN, ZAP_ENDPOINT, Context, Socket

PER_STEP = 16


class ZapHandler:
    """One thread. A client that connects waits until the next `step`, which answers its handshake."""

    def __init__(self, context: Context, names: Callable[[], Mapping[bytes, str]]) -> None:
        """Serves all sockets of the context. `names` gives the allowed keys with their names."""
        self._names = names
        self.refused = 0
        self.last_refused = ""
        """Address and key of the last client that was refused."""
        self.socket: Socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(ZAP_ENDPOINT)

    def step(self) -> int:
        """Answer the handshakes that wait; gives how many there were. Never waits."""
        for count in range(PER_STEP):
            try:
                version, number, domain, address, _identity, mechanism, *credentials = self.socket.recv_multipart(
                    zmq.NOBLOCK
                )
            except zmq.Again:
                return count
            key = bytes(z85.encode(credentials[0])) if mechanism == b"CURVE" and domain == ZAP_DOMAIN else b""
            if key in self._names():
                answer = (b"200", b"OK", key)
            else:
                self.refused += 1
                self.last_refused = f"{address.decode(errors='replace')} with the key {key.decode()}"
                answer = (b"400", b"this key is not allowed", b"")
            self.socket.send_multipart([version, number, *answer, b""])
        return PER_STEP

    def close(self) -> None:
        self.socket.close()
