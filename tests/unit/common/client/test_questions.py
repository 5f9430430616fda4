"""Questions: answers come when they come, and a silent service delays nobody."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from tests.support.processes.folders import runtime_folder
from tests.support.processes.waiting import wait_until
from tickflag.common.client import questions as questions_module
from tickflag.common.client.questions import FORGET_S, Questions
from tickflag.common.errors import MessageError, TickflagError
from tickflag.common.runtime import Role, Runtime
from tickflag.common.wire import sockets
from tickflag.common.wire.codec import MAX_REQUEST_BYTES
from tickflag.common.wire.messages import Reply, Request
from tickflag.common.wire.requests import Client, Unreachable
from tickflag.common.wire.responder import Responder


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with runtime_folder() as runtime:
        yield runtime


class Service:
    """A collector that answers when `step` is called."""

    def __init__(self, runtime: Runtime) -> None:
        self._context: sockets.Context = sockets.Context()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._role = Role(runtime, "collector")
        self._socket = sockets.open_socket(self._context, runtime, sockets.COMMANDS_SERVER)
        self._responder = Responder(self._socket, self._answer, lambda error: None, 10)

    def step(self) -> int:
        return self._responder.step()

    def _answer(self, request: Request, _key: str) -> Reply:
        self.asked.append((request.what, dict(request.arguments)))
        error = "no such thing" if request.what == "wrong" else ""
        return Reply(id=request.id, error=error, result=len(self.asked))

    def close(self) -> None:
        self._socket.close(0)
        self._context.term()
        self._role.release()


@pytest.fixture
def service(runtime: Runtime) -> Iterator[Service]:
    service = Service(runtime)
    yield service
    service.close()


@pytest.fixture
def questions(runtime: Runtime) -> Iterator[Questions]:
    questions = Questions(runtime, lambda: now[0])
    yield questions
    questions.close()


now = [100.0]


def _settled(questions: Questions, service: Service) -> None:
    """Let every answer come."""

    def step() -> bool:
        questions.step()
        service.step()
        return not questions.waiting

    wait_until(step)


def test_an_answer_is_kept_until_it_is_old(service: Service, questions: Questions) -> None:
    """Looks within the time ask once, whoever looks; then the next look asks again, and shows the old one meanwhile."""
    assert not questions.latest("collector", "status", 1.0).answered
    questions.latest("collector", "status", 1.0)
    _settled(questions, service)
    assert questions.latest("collector", "status", 1.0).value == 1
    now[0] += 1.5
    known = questions.latest("collector", "status", 1.0)
    assert (known.value, known.is_late(now[0], 1.0)) == (1, False)
    assert known.is_late(now[0] + 1.0, 1.0)
    _settled(questions, service)
    assert questions.latest("collector", "status", 1.0).value == 2
    questions.renew()
    questions.latest("collector", "status", 1.0)
    _settled(questions, service)
    assert service.asked == [("status", {})] * 3


def test_questions_with_other_arguments_are_others(service: Service, questions: Questions) -> None:
    """Each has its answer; a refusal is an answer."""
    for trader in ("a", "b"):
        questions.latest("collector", "matches", trader=trader)
    questions.latest("collector", "wrong")
    _settled(questions, service)
    assert questions.latest("collector", "matches", trader="b").value == 2
    assert str(questions.latest("collector", "wrong").error) == "no such thing"


def test_a_service_that_does_not_run(questions: Questions) -> None:
    """All that waits for it hears so at once."""
    questions.latest("collector", "status")
    future: Future[Any] = Future()
    questions.command("feed", "swap", {}, future)
    assert questions.step()
    assert isinstance(questions.latest("collector", "status").error, Unreachable)
    assert isinstance(future.exception(), Unreachable)


def test_a_silent_service_fails_all_that_waits_for_it(
    service: Service, questions: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the time of one answer, not of one each; commands go past the questions."""
    monkeypatch.setattr(questions_module, "ANSWER_S", 0.05)
    for what in ("a", "b", "c"):
        questions.latest("collector", what)
    future: Future[Any] = Future()
    questions.command("collector", "release", {"trader": "t"}, future)
    wait_until(lambda: questions.step() and isinstance(questions.latest("collector", "c").error, Unreachable))
    assert not future.done()
    wait_until(lambda: (questions.step(), service.step(), future.done() and len(service.asked) > 1)[2])
    asked = [what for what, _ in service.asked]  # from two sockets, in any order
    assert sorted(asked) == ["a", "release"]
    assert asked[future.result() - 1] == "release"


def test_the_sockets_to_wait_on(service: Service, questions: Questions) -> None:
    """Those of the services that owe an answer."""
    assert questions.sockets == []
    questions.latest("collector", "status")
    assert len(questions.sockets) == 1
    _settled(questions, service)
    assert questions.sockets == []


def test_a_refused_command(service: Service, questions: Questions) -> None:
    """The future has the service's own words."""
    future: Future[Any] = Future()
    questions.command("collector", "wrong", {}, future)
    _settled(questions, service)
    assert isinstance(future.exception(), TickflagError)


def test_what_nobody_looks_at_is_forgotten(service: Service, questions: Questions) -> None:
    """After a while, unless its answer is on its way."""
    questions.latest("collector", "status")
    now[0] += FORGET_S + 1
    questions.forget_unused()
    _settled(questions, service)
    assert questions.latest("collector", "status", 1e9).answered
    now[0] += FORGET_S + 1
    questions.forget_unused()
    assert not questions.latest("collector", "status").answered


def test_a_question_that_cannot_be_asked(service: Service, questions: Questions) -> None:
    """One that is too large is refused here; those behind it go on."""
    taken: list[tuple[Any, Any]] = []
    questions.ask("collector", "a", {"text": "x" * MAX_REQUEST_BYTES}, lambda *answer: taken.append(answer))
    questions.ask("collector", "b", {}, lambda *answer: taken.append(answer))
    _settled(questions, service)
    assert "is larger than" in str(taken[0][1])
    assert taken[1] == (1, None)


def test_an_answer_that_is_none(service: Service, questions: Questions, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error of that question."""

    def wrong(_client: Client) -> Reply:
        raise MessageError("not a reply")

    questions.latest("collector", "status")
    questions.step()
    monkeypatch.setattr(Client, "try_answer", wrong)
    questions.step()
    assert str(questions.latest("collector", "status").error) == "not a reply"


def test_the_end_fails_what_is_open(service: Service, questions: Questions) -> None:
    """Nobody waits for what will not come."""
    futures: list[Future[Any]] = [Future(), Future()]
    for future in futures:
        questions.command("collector", "release", {}, future)
    questions.step()
    questions.close()
    assert [str(future.exception()) for future in futures] == ["nothing is asked any more"] * 2
