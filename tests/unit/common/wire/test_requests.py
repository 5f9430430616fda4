"""Client: one answer to each request, or one clear error before the deadline."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import zmq

from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Role, Runtime
from tickflag.common.wire.codec import decode_as, encode
from tickflag.common.wire.messages import Reply, Request
from tickflag.common.wire.requests import Client, Unreachable
from tickflag.common.wire.sockets import COMMANDS_CLIENT, COMMANDS_SERVER, Context, open_socket

Answer = Callable[[Request], list[Reply]]


@contextmanager
def collector(runtime: Runtime, answer: Answer) -> Iterator[Role]:
    """A fake service that holds the role and answers in a thread of its own."""
    context: Context = zmq.Context()
    socket = open_socket(context, runtime, COMMANDS_SERVER)
    ending = threading.Event()

    def serve() -> None:
        while not ending.is_set():
            if socket.poll(20):
                identity, frame = socket.recv_multipart()
                for reply in answer(decode_as(Request, frame)):
                    socket.send_multipart([identity, encode(reply)])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with Role(runtime, "collector") as role:
            yield role
    finally:
        ending.set()
        thread.join()
        context.destroy(0)


def test_the_result_is_given(runtime: Runtime) -> None:
    """Arguments are sent, and the reply's result comes back, several times over one connection."""
    with (
        collector(runtime, lambda request: [Reply(id=request.id, result=[request.what, request.arguments])]),
        Client(runtime, "collector") as client,
    ):
        assert client.ask("signals", since=3) == ["signals", {"since": 3}]
        assert client.ask("status") == ["status", {}]


def test_a_refusal_has_the_services_words(runtime: Runtime) -> None:
    """A refusal does not look like a service that is away."""
    with (
        collector(runtime, lambda request: [Reply(id=request.id, error="no such trader")]),
        Client(runtime, "collector") as client,
    ):
        with pytest.raises(TickflagError, match="no such trader") as caught:
            client.ask("matches")
        assert not isinstance(caught.value, Unreachable)


def test_a_late_answer_is_not_taken_for_the_next(runtime: Runtime) -> None:
    """An answer belongs to the request with its number."""
    with (
        collector(runtime, lambda request: [Reply(id=0, result="late"), Reply(id=request.id, result="right")]),
        Client(runtime, "collector") as client,
    ):
        assert client.ask("status") == "right"


def test_nobody_runs(runtime: Runtime) -> None:
    """The error comes at once, with what to do; also where the runtime folder does not exist."""
    with Client(runtime, "collector", timeout_s=60) as client, pytest.raises(Unreachable) as caught:
        client.ask("status")
    assert str(caught.value) == "no collector is running for instance 'test' (start it with `tickflag start`)"
    elsewhere = Runtime(runtime.folder.parent, "elsewhere")
    with Client(elsewhere, "feed", timeout_s=60) as client, pytest.raises(Unreachable, match="'elsewhere'"):
        client.ask("status")


def test_one_service_of_an_engine_does_not_run(runtime: Runtime) -> None:
    """`tickflag start` would be refused: the line names what starts this service alone."""
    with Role(runtime, "feed"), Client(runtime, "collector") as client, pytest.raises(Unreachable) as caught:
        client.ask("status")
    words = "no collector is running for instance 'test' (start it with `python -P -m tickflag.services.collector`)"
    assert str(caught.value) == words


def test_nobody_answers(runtime: Runtime) -> None:
    """The deadline ends the wait; the error names the process."""
    with (
        collector(runtime, lambda _request: []),
        Client(runtime, "collector", timeout_s=0.05) as client,
        pytest.raises(Unreachable, match=r"the collector \(pid \d+\) did not answer within 0.05 s"),
    ):
        client.ask("status")


def test_the_service_ends_before_it_answers(runtime: Runtime) -> None:
    """The wait ends as soon as nobody holds the role."""
    asked = threading.Event()

    def hear(_request: Request) -> list[Reply]:
        asked.set()
        return []

    with collector(runtime, hear) as role, Client(runtime, "collector", timeout_s=60) as client:

        def end() -> None:
            asked.wait()
            role.release()

        ender = threading.Thread(target=end)
        ender.start()
        with pytest.raises(Unreachable, match="no collector is running"):
            client.ask("status")
        ender.join()


def test_a_service_that_takes_nothing_any_more(runtime: Runtime) -> None:
    """Some requests wait for a service that is about to bind; one too many is an error at once."""
    with Role(runtime, "collector"), Client(runtime, "collector", timeout_s=0.001) as client:
        for _ in range(COMMANDS_CLIENT.high_water):
            with pytest.raises(Unreachable, match=r"did not answer within 0\.001 s"):
                client.ask("status")
        with pytest.raises(Unreachable, match="the collector takes no requests"):
            client.ask("status")
