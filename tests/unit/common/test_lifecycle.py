"""Stop and run_service: how a process is asked to end, and how it says why it ended."""

import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.errors import TickflagError
from common.lifecycle import EXIT_ALREADY_RUNNING, EXIT_FAILED, Stop, run_service
from common.log import Logger
from common.runtime import Role, Runtime
from common.settings import Settings
from tests.support.folders import runtime_folder


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Runtime]:
    """Settings that lead to a runtime folder of the test's own."""
    umask = os.umask(0o022)
    with runtime_folder() as runtime:
        monkeypatch.setenv("TICKFLAG_CONFIG", str(tmp_path))
        monkeypatch.setenv("TICKFLAG_RUNTIME__ROOT", str(runtime.folder.parent))
        monkeypatch.setenv("TICKFLAG_INSTANCE", runtime.folder.name)
        yield runtime
    os.umask(umask)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_a_wait_at_once_and_for_good(number: signal.Signals) -> None:
    """The descriptor stays readable, so that no later wait blocks either."""
    with Stop() as stop:
        assert not stop.wait(0)
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
        assert stop.wait(30)
        assert stop.requested
        assert stop.wait(30)


def test_request_from_another_thread_ends_a_wait() -> None:
    """Not only signals end a service."""
    with Stop() as stop:
        thread = threading.Timer(0.05, stop.request)
        thread.start()
        assert stop.wait(30)
        thread.join()


def test_other_signals_wake_and_end_nothing() -> None:
    """Their bytes are taken from the descriptor, which would else keep the loop awake."""
    former = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with Stop() as stop:
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
            assert not stop.wait(30)
            assert not stop.wait(0)
    finally:
        signal.signal(signal.SIGUSR1, former)


def test_a_loop_polls_the_wish_beside_its_sockets() -> None:
    """The descriptor is readable from the wish on, and not before."""
    with Stop() as stop:
        assert select.select([stop.fileno()], [], [], 0)[0] == []
        stop.request()
        assert select.select([stop.fileno()], [], [], 0)[0] == [stop.fileno()]


def test_a_wish_that_comes_while_others_are_taken_stays() -> None:
    """Its byte may be among those that are thrown away: the descriptor is readable all the same."""
    with Stop() as stop:
        reader: Any = stop._reader

        class Late:
            """Between the look at the wish and the taking of the bytes another thread wishes for the end."""

            def recv(self, size: int) -> bytes:
                stop.request()
                taken: bytes = reader.recv(size)
                return taken

        stop._reader = Late()  # type: ignore[assignment] # as much of a socket as is asked for
        assert stop.requested
        stop._reader = reader
        assert select.select([stop.fileno()], [], [], 0)[0] == [stop.fileno()]


def test_handlers_are_put_back() -> None:
    """A block leaves the process as it was."""
    former = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with Stop():
        assert signal.getsignal(signal.SIGTERM) != former[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == former
    assert signal.set_wakeup_fd(-1) == -1


def test_many_requests_are_one() -> None:
    """Nobody who hammers Ctrl-C fills anything up."""
    with Stop() as stop:
        for _ in range(100_000):
            stop.request()
        assert stop.requested


def test_service_runs_with_its_role(environment: Runtime) -> None:
    """`main` gets what it needs, holds the role while it runs, and leaves 0."""
    seen: list[object] = []

    def main(settings: Settings, runtime: Runtime, log: Logger, stop: Stop) -> None:
        seen.extend((settings.instance, runtime.folder, stop.requested, Role.holder(runtime, "feed")))

    assert run_service("feed", main) == 0
    assert seen == ["test", environment.folder, False, os.getpid()]
    assert Role.holder(environment, "feed") is None


def test_second_of_a_role_is_refused(environment: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 75 and one line that names the holder."""
    with Role(environment, "feed"):
        assert run_service("feed", _never) == EXIT_ALREADY_RUNNING
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert f"pid {os.getpid()}" in line


def test_known_error_is_one_line(environment: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback for what is no bug."""

    def main(*_: object) -> None:
        raise TickflagError("the moon is too far: come closer")

    assert run_service("feed", main) == EXIT_FAILED
    assert capsys.readouterr().err == "feed: the moon is too far: come closer\n"


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
    """The folder and the setting are named."""
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
    """The terminal has gone: the process ends with status 1 and says nothing, and what is still printed is no fault."""

    def main(*_: object) -> None:
        raise BrokenPipeError

    with (tmp_path / "log").open("w") as log:
        monkeypatch.setattr(sys, "stdout", log)
        assert run_service("feed", main) == EXIT_FAILED
        log.write("lost")
    assert (tmp_path / "log").read_text() == ""
    assert capsys.readouterr().err == ""


def test_bug_comes_through(environment: Runtime) -> None:
    """Our own bugs end the process loudly, and the role is free again."""

    def main(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_service("feed", main)
    assert Role.holder(environment, "feed") is None


def _never(*_: object) -> None:
    raise AssertionError("the service ran")
