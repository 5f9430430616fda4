"""Stop and run_service: how a process is asked to end, and how it says why it ended."""

import errno
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes.folders import runtime_folder
from tests.support.stand_ins.lost_stream import LostStream
from tickflag.common import lifecycle
from tickflag.common.errors import EXIT_ALREADY_RUNNING, EXIT_FAILED, NO_THREADS, TickflagError
from tickflag.common.lifecycle import LIFELINE, Stop, run_service
from tickflag.common.log import Logger
from tickflag.common.runtime import Role, Runtime
from tickflag.common.settings import Settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Runtime]:
    """Settings that name a runtime folder of the test's own."""
    umask = os.umask(0o022)
    with runtime_folder() as runtime:
        monkeypatch.setenv("TICKFLAG_CONFIG", str(tmp_path))
        monkeypatch.setenv("TICKFLAG_RUNTIME__ROOT", str(runtime.folder.parent))
        monkeypatch.setenv("TICKFLAG_INSTANCE", runtime.folder.name)
        yield runtime
    os.umask(umask)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_a_wait_at_once_and_for_good(number: signal.Signals) -> None:
    """The descriptor stays readable, so that no later wait blocks either."""
    with Stop() as stop:
        assert not stop.wait(0)
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
        assert stop.wait(30)
        assert stop.requested
        assert stop.wait(30)
        assert stop.reason == f"{number.name} received"


def test_a_hangup_that_was_ignored_stays_ignored() -> None:
    """So `nohup` keeps a process running when its terminal is closed."""
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.wait(0)
    finally:
        signal.signal(signal.SIGHUP, former)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_that_were_ignored_end_it_too(number: signal.Signals) -> None:
    """A shell without job control ignores SIGINT for its background processes; after the block the signal is ignored
    again."""
    former = signal.signal(number, signal.SIG_IGN)
    try:
        with Stop() as stop:
            os.kill(os.getpid(), number)
            assert stop.wait(30)
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, former)


def test_a_service_that_starts_with_sigint_ignored(environment: Runtime) -> None:
    """Ctrl-C, or the SIGINT of a process manager, ends the service all the same, with exit code 0."""

    def main(settings: Settings, runtime: Runtime, log: Logger, stop: Stop) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(30)

    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run_service("feed", main) == 0
    finally:
        signal.signal(signal.SIGINT, former)


def test_request_from_another_thread_ends_a_wait() -> None:
    """A thread can end a service too."""
    with Stop() as stop:
        thread = threading.Timer(0.05, stop.request)
        thread.start()
        assert stop.wait(30)
        thread.join()


def test_other_signals_wake_and_end_nothing() -> None:
    """The bytes of other signals are removed from the descriptor, which would else keep the loop awake."""
    former = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with Stop() as stop:
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
            assert not stop.wait(30)
            assert not stop.wait(0)
    finally:
        signal.signal(signal.SIGUSR1, former)


def test_a_loop_polls_the_request_beside_its_sockets() -> None:
    """The descriptor is readable from the request on, and not earlier."""
    with Stop() as stop:
        assert select.select([stop.fileno()], [], [], 0)[0] == []
        stop.request()
        assert select.select([stop.fileno()], [], [], 0)[0] == [stop.fileno()]


def test_a_request_that_comes_while_bytes_are_read_stays() -> None:
    """The request's byte may be thrown away with the others: the descriptor stays readable all the same."""
    with Stop() as stop:
        reader: Any = stop._reader

        class Late:
            """Lets another thread request the end just before the bytes are read."""

            def recv(self, size: int) -> bytes:
                stop.request()
                taken: bytes = reader.recv(size)
                return taken

        stop._reader = Late()  # type: ignore[assignment] # as much of a socket as is asked for
        assert stop.requested
        stop._reader = reader
        assert select.select([stop.fileno()], [], [], 0)[0] == [stop.fileno()]


def test_handlers_are_put_back() -> None:
    """The block leaves the process as it was."""
    former = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with Stop():
        assert signal.getsignal(signal.SIGTERM) != former[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == former
    assert signal.set_wakeup_fd(-1) == -1


def test_many_requests_are_one() -> None:
    """Repeated requests fill nothing up."""
    with Stop() as stop:
        for _ in range(100_000):
            stop.request()
        assert stop.requested


def test_service_runs_with_its_role(environment: Runtime) -> None:
    """`main` gets what it needs and holds the role while it runs; the exit code is 0."""
    seen: list[object] = []

    def main(settings: Settings, runtime: Runtime, log: Logger, stop: Stop) -> None:
        seen.extend((settings.instance, runtime.folder, stop.requested, Role.holder(runtime, "feed")))

    assert run_service("feed", main) == 0
    assert seen == ["test", environment.folder, False, os.getpid()]
    assert Role.holder(environment, "feed") is None


def test_second_of_a_role_is_refused(environment: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 75, and one line names the holder."""
    with Role(environment, "feed"):
        assert run_service("feed", _never) == EXIT_ALREADY_RUNNING
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert f"pid {os.getpid()}" in line


def test_known_error_is_one_line(environment: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    """An error that is no bug gives no traceback."""

    def main(*_: object) -> None:
        raise TickflagError("the moon is too far: come closer")

    assert run_service("feed", main) == EXIT_FAILED
    assert capsys.readouterr().err == "feed: the moon is too far: come closer\n"


def test_a_shortage_is_one_line(environment: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    """The machine's condition is no bug."""

    def main(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    assert run_service("feed", main) == EXIT_FAILED
    assert capsys.readouterr().err == f"feed: {NO_THREADS}\n"


def test_wrong_setting_is_one_line(
    environment: Runtime, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The setting at fault is named before anything is touched."""
    monkeypatch.setenv("TICKFLAG_COLLECTOR__JOURNAL_KEEP", "many")
    assert run_service("collector", _never) == EXIT_FAILED
    assert "collector.journal_keep" in capsys.readouterr().err


def test_runtime_folder_that_cannot_be_made(
    environment: Runtime, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the folder and the setting."""
    blocked = environment.folder / "file"
    blocked.touch()
    monkeypatch.setenv("TICKFLAG_RUNTIME__ROOT", str(blocked))
    assert run_service("feed", _never) == EXIT_FAILED
    line = capsys.readouterr().err
    assert str(blocked) in line
    assert "runtime.root" in line


def test_a_log_that_nobody_reads_is_the_end(
    environment: Runtime, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The terminal is gone: the process ends with exit code 1 and says nothing; what is still printed is no error."""

    def main(*_: object) -> None:
        raise BrokenPipeError

    with (tmp_path / "log").open("w") as log:
        monkeypatch.setattr(sys, "stdout", log)
        assert run_service("feed", main) == EXIT_FAILED
        log.write("lost")
    assert (tmp_path / "log").read_text() == ""
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("number", [errno.EIO, errno.EPIPE])
def test_a_log_that_is_lost_ends_it_in_order(
    environment: Runtime, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The line that cannot be written raises nothing: `main` sees a stop, and the exit code is 1."""
    monkeypatch.setattr(sys, "stdout", LostStream(number))

    def main(_settings: Settings, _runtime: Runtime, log: Logger, stop: Stop) -> None:
        log.info("one")
        assert stop.wait(30)
        log.info("another")

    assert run_service("feed", main) == EXIT_FAILED


def test_a_full_disk_is_no_end(environment: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines are dropped, and the service goes on."""
    monkeypatch.setattr(sys, "stdout", LostStream(errno.ENOSPC))

    def main(_settings: Settings, _runtime: Runtime, log: Logger, stop: Stop) -> None:
        log.info("one")
        assert not stop.requested

    assert run_service("feed", main) == 0


def lifeline(monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """The ends of a pipe; the service is given the first one."""
    theirs, ours = os.pipe()
    monkeypatch.setenv(LIFELINE, str(theirs))
    return theirs, ours


def test_the_end_of_the_starter_ends_the_service(environment: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipe closes with it. What the service starts does not see the pipe."""
    theirs, ours = lifeline(monkeypatch)

    def main(_settings: Settings, _runtime: Runtime, _log: Logger, stop: Stop) -> None:
        assert LIFELINE not in os.environ
        assert not os.get_inheritable(theirs)
        assert not stop.wait(0)
        os.close(ours)
        assert stop.wait(30)
        assert stop.reason == "the process that started this one has ended"

    assert run_service("feed", main) == 0
    os.close(theirs)


def test_a_service_that_does_not_hear_it_is_killed(environment: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """As its starter would have done."""
    theirs, ours = lifeline(monkeypatch)
    killed = threading.Event()
    monkeypatch.setattr(lifecycle, "KILL_AFTER_S", 0.0)
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.set())

    def main(*_: object) -> None:
        os.close(ours)
        assert killed.wait(30)

    assert run_service("feed", main) == 0
    os.close(theirs)


def test_a_service_that_ended_is_left_alone(environment: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its starter may end later: nothing happens then."""
    theirs, ours = lifeline(monkeypatch)
    monkeypatch.setattr(os, "kill", _never)
    before = set(threading.enumerate())
    watchers: list[threading.Thread] = []

    def main(*_: object) -> None:
        watchers.extend(set(threading.enumerate()) - before)

    assert run_service("feed", main) == 0
    os.close(ours)
    assert len(watchers) == 1
    watchers[0].join(30)
    assert not watchers[0].is_alive()
    os.close(theirs)


@pytest.mark.parametrize("named", ["", "x", "-1", "1000000", "a file"])
def test_what_is_no_lifeline_is_not_watched(
    environment: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str
) -> None:
    """The variable may come from another process: a number that is no pipe here means nothing."""
    with (tmp_path / "file").open("w") as file:
        monkeypatch.setenv(LIFELINE, str(file.fileno()) if named == "a file" else named)
        before = threading.active_count()
        assert run_service("feed", lambda *_: None) == 0
        assert threading.active_count() == before


def test_bug_comes_through(environment: Runtime) -> None:
    """Our own bugs end the process with a traceback, and the role is free again."""

    def main(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_service("feed", main)
    assert Role.holder(environment, "feed") is None


def _never(*_: object) -> None:
    raise AssertionError("the service ran")
