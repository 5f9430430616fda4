"""Responder: one answer for each request, whatever the request or the answer holds."""

from typing import Any, cast

import pytest
import zmq

from common.codec import MAX_FRAME_BYTES, MAX_REQUEST_BYTES, encode
from common.errors import MessageError, TickflagError
from common.messages import Reply, Request
from common.responder import Responder, replied
from common.sockets import Socket
from tests.support.hostile import Router

KEY = "k" * 40


class Desk:
    """Answers with `result`; remembers which key asked for what."""

    def __init__(self, names: dict[bytes, str] | None = None) -> None:
        self.router = Router()
        self.result: Any = "yes"
        self.asked: list[tuple[str, str]] = []
        self.dropped: list[str] = []
        given = None if names is None else lambda: names
        self.responder = Responder(cast(Socket, self.router), self._answer, self._drop, 3, given)

    def _answer(self, request: Request, key: str) -> Reply:
        self.asked.append((request.what, key))
        return Reply(id=request.id, result=self.result)

    def _drop(self, error: MessageError) -> None:
        self.dropped.append(str(error))

    def ask(self, *parts: bytes, key: str = "") -> list[Reply]:
        self.router.put(*parts, key=key)
        assert self.responder.step() == 1
        return self.router.take()


QUESTION = encode(Request(id=7, what="status"))


def test_a_request_is_answered() -> None:
    """With its number, on the way it came."""
    desk = Desk()
    desk.router.put(b"", QUESTION)
    desk.responder.step()
    assert desk.router.sent[0][:2] == [b"client", b""]
    assert desk.router.take() == [Reply(id=7, result="yes")]
    assert desk.asked == [("status", "")]


def test_a_flood_is_taken_in_parts() -> None:
    """So that whoever serves has time for other things."""
    desk = Desk()
    for _ in range(7):
        desk.router.put(QUESTION)
    assert [desk.responder.step() for _ in range(4)] == [3, 3, 1, 0]


def test_what_is_no_request_is_dropped_with_its_reason() -> None:
    """Other messages, garbage, more frames than one, and what is larger than a request may be, compressed or not."""
    desk = Desk()
    large = Request(id=1, what="status", arguments={"x": "y" * MAX_REQUEST_BYTES})
    for parts in ([b"?"], [encode(Reply(id=1))], [b"x", QUESTION], [encode(large)], [encode(large, 1)]):
        assert desk.ask(*parts) == []
    assert [reason.partition(" ")[0] for reason in desk.dropped] == ["a", "expected", "a", "a", "a"]
    assert "a request of 2 frames" in desk.dropped
    assert desk.asked == []


@pytest.mark.parametrize("result", [2**70, {1, 2}, bytes(MAX_FRAME_BYTES), {"a": object()}])
def test_an_answer_that_cannot_be_sent(result: Any) -> None:
    """The client is told so, and the next request is answered."""
    desk = Desk()
    desk.result = result
    [reply] = desk.ask(QUESTION)
    assert reply.id == 7
    assert reply.error.startswith(("the answer is too large", "the answer cannot be sent"))
    desk.result = "yes"
    assert desk.ask(QUESTION) == [Reply(id=7, result="yes")]


def test_a_client_that_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer is its own business."""
    desk = Desk()

    def gone(_parts: list[bytes], _flags: int) -> None:
        raise zmq.ZMQError(zmq.EHOSTUNREACH)

    monkeypatch.setattr(desk.router, "send_multipart", gone)
    assert desk.ask(QUESTION) == []
    assert desk.asked == [("status", "")]


def test_a_key_has_its_name() -> None:
    """With CURVE, whoever answers knows who asks; a key that is not allowed any more is told so and asks nothing."""
    names = {KEY.encode(): "ann"}
    desk = Desk(names)
    assert desk.ask(QUESTION, key=KEY) == [Reply(id=7, result="yes")]
    assert desk.asked == [("status", "ann")]
    names.clear()
    assert desk.ask(QUESTION, key=KEY) == [Reply(id=7, error="this key is not allowed any more")]
    assert desk.asked == [("status", "ann")]


def test_a_refusal_is_a_reply() -> None:
    """With its words, cut to what a reply takes."""

    def refuse() -> None:
        raise TickflagError("no" * 5_000)

    request = Request(id=3, what="status")
    assert replied(request, lambda: 5) == Reply(id=3, result=5)
    assert replied(request, refuse) == Reply(id=3, error="no" * 2_000)
