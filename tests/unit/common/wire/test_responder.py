"""Responder: one answer for each request, whatever the request or the answer holds."""

from typing import Any, cast

import pytest
import zmq

from tests.support.processes.hostile import FakeRouter
from tickflag.common.errors import MessageError, TickflagError
from tickflag.common.wire.codec import MAX_FRAME_BYTES, MAX_REQUEST_BYTES, encode
from tickflag.common.wire.messages import Reply, Request
from tickflag.common.wire.responder import Responder, replied
from tickflag.common.wire.sockets import Socket

KEY = "k" * 40


class ResponderHarness:
    """Answers with `result`; remembers which key asked for what."""

    def __init__(self, names: dict[bytes, str] | None = None) -> None:
        self.router = FakeRouter()
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
    """The reply has the request's number and takes the way that the request came."""
    harness = ResponderHarness()
    harness.router.put(b"", QUESTION)
    harness.responder.step()
    assert harness.router.sent[0][:2] == [b"client", b""]
    assert harness.router.take() == [Reply(id=7, result="yes")]
    assert harness.asked == [("status", "")]


def test_a_flood_is_taken_in_parts() -> None:
    """Whoever serves has time for other work in between."""
    harness = ResponderHarness()
    for _ in range(7):
        harness.router.put(QUESTION)
    assert [harness.responder.step() for _ in range(4)] == [3, 3, 1, 0]


def test_what_is_no_request_is_dropped_with_its_reason() -> None:
    """Dropped are other messages, garbage, several frames, and more bytes than a request may have, compressed or
    not."""
    harness = ResponderHarness()
    large = Request(id=1, what="status", arguments={"x": "y" * MAX_REQUEST_BYTES})
    for parts in ([b"?"], [encode(Reply(id=1))], [b"x", QUESTION], [encode(large)], [encode(large, 1)]):
        assert harness.ask(*parts) == []
    assert [reason.partition(" ")[0] for reason in harness.dropped] == ["a", "expected", "a", "a", "a"]
    assert "a request of 2 frames" in harness.dropped
    assert harness.asked == []


@pytest.mark.parametrize("result", [2**70, {1, 2}, bytes(MAX_FRAME_BYTES), {"a": object()}])
def test_an_answer_that_cannot_be_sent(result: Any) -> None:
    """The client hears that, and the next request is answered."""
    harness = ResponderHarness()
    harness.result = result
    [reply] = harness.ask(QUESTION)
    assert reply.id == 7
    assert reply.error.startswith(("the answer is too large", "the answer cannot be sent"))
    harness.result = "yes"
    assert harness.ask(QUESTION) == [Reply(id=7, result="yes")]


def test_a_client_that_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that cannot be delivered changes nothing."""
    harness = ResponderHarness()

    def gone(_parts: list[bytes], _flags: int) -> None:
        raise zmq.ZMQError(zmq.EHOSTUNREACH)

    monkeypatch.setattr(harness.router, "send_multipart", gone)
    assert harness.ask(QUESTION) == []
    assert harness.asked == [("status", "")]


def test_a_key_has_its_name() -> None:
    """With CURVE the answer knows who asks. A key that is not allowed any more is told so, and its request is not
    carried out."""
    names = {KEY.encode(): "ann"}
    harness = ResponderHarness(names)
    assert harness.ask(QUESTION, key=KEY) == [Reply(id=7, result="yes")]
    assert harness.asked == [("status", "ann")]
    names.clear()
    assert harness.ask(QUESTION, key=KEY) == [Reply(id=7, error="this key is not allowed any more")]
    assert harness.asked == [("status", "ann")]


def test_a_refusal_is_a_reply() -> None:
    """The reply has the refusal's text, cut to the longest that a reply allows."""

    def refuse() -> None:
        raise TickflagError("no" * 5_000)

    request = Request(id=3, what="status")
    assert replied(request, lambda: 5) == Reply(id=3, result=5)
    assert replied(request, refuse) == Reply(id=3, error="no" * 2_000)
