"""Responder: the serving end of requests. Whatever a peer sends, it neither raises nor waits, and goes on answering."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import zmq

from common.codec import MAX_REQUEST_BYTES, decode_as, encode
from common.errors import MessageError, TickflagError
from common.messages import Reply, Request
from common.sockets import Socket

MAX_ERROR_CHARACTERS = 4_000
REVOKED = "this key is not allowed any more"

Answer = Callable[[Request, str], Reply]
"""Given a request, and the name of the key that it came with; none where it is of this machine."""


class Responder:
    """Takes requests from a ROUTER, which it borrows. A request is one frame, behind an empty one if a REQ sent it."""

    def __init__(
        self,
        socket: Socket,
        answer: Answer,
        dropped: Callable[[MessageError], None],
        per_step: int,
        names: Callable[[], Mapping[bytes, str]] | None = None,
    ) -> None:
        """`dropped` is told of each message that is no request. `names` gives the keys that are allowed and their
        names, for a socket with CURVE."""
        self._socket, self._answer, self._dropped = socket, answer, dropped
        self._per_step, self._names = per_step, names

    def step(self) -> int:
        """Answer what has come, `per_step` of it at most; gives how many messages that were."""
        for taken in range(self._per_step):
            try:
                parts: list[Any] = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return taken
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
        if name is None:  # since it connected
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
