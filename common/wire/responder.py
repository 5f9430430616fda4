"""Responder: the serving end of requests. No peer can make it raise, wait or stop answering."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import zmq

from tickflag.common.errors import MessageError, TickflagError
from tickflag.common.wire.codec import MAX_REQUEST_BYTES, decode_as, encode
from tickflag.common.wire.messages import Reply, Request
from tickflag.common.wire.sockets import Socket

MAX_ERROR_CHARACTERS = 4_000
REVOKED = "this key is not allowed any more"

Answer = Callable[[Request, str], Reply]
"""Gives the reply to a request. The text is the name of the key that the request came with; it is empty for a request
of this machine."""


class Responder:
    """Answers requests at a ROUTER that stays the caller's. A request is one frame, after an empty one from a REQ."""

    def __init__(
        self,
        socket: Socket,
        answer: Answer,
        dropped: Callable[[MessageError], None],
        per_step: int,
        names: Callable[[], Mapping[bytes, str]] | None = None,
    ) -> None:
        """`dropped` is called for each message that is no request. For a socket with CURVE, `names` gives the allowed
        keys with their names."""
        self._socket, self._answer, self._dropped = socket, answer, dropped
        self._per_step, self._names = per_step, names

    def step(self) -> int:
        """Answer the messages that have come, at most `per_step`; gives how many there were."""
        for count in range(self._per_step):
            try:
                parts: list[Any] = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return count
            try:
                frame = parts.pop()
                route = [part.bytes for part in parts]
                if route[1:] not in ([], [b""]):
                    raise MessageError(f"a request of {len(route)} frames")
                request = decode_as(Request, frame.bytes, MAX_REQUEST_BYTES)
                self._send(route, self._reply(request, frame))
            except MessageError as error:
                self._dropped(error)
        return self._per_step

    def _reply(self, request: Request, frame: Any) -> Reply:
        if self._names is None:
            return self._answer(request, "")
        name = self._names().get(frame.get("User-Id").encode())
        if name is None:  # taken off the list since the client connected
            return Reply(id=request.id, error=REVOKED)
        return self._answer(request, name)

    def _send(self, route: list[bytes], reply: Reply) -> None:
        try:
            answer = encode(reply)
        except MessageError as error:
            answer = encode(Reply(id=reply.id, error=f"the answer is too large: {error}"))
        except (TypeError, ValueError, OverflowError) as error:  # a plugin's answer may hold anything
            answer = encode(Reply(id=reply.id, error=f"the answer cannot be sent: {error}"[:MAX_ERROR_CHARACTERS]))
        with contextlib.suppress(zmq.ZMQError):  # the client has gone, or does not read: that is its own business
            self._socket.send_multipart([*route, answer], zmq.NOBLOCK)


def replied(request: Request, work: Callable[[], Any]) -> Reply:
    """The reply with the result of `work`, or with the words of the TickflagError that it raised."""
    try:
        return Reply(id=request.id, result=work())
    except TickflagError as error:
        return Reply(id=request.id, error=str(error)[:MAX_ERROR_CHARACTERS])
