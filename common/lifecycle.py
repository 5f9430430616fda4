"""The life of a service: settings, runtime folder, log and role at the start; signals while it runs; its exit code."""

import contextlib
import os
import select
import signal
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any, Self

from tickflag.common.errors import EXIT_ALREADY_RUNNING, EXIT_FAILED, AlreadyRunning, TickflagError, shortage_of
from tickflag.common.limits import descriptor_shortage, raise_descriptors
from tickflag.common.log import Logger, configure
from tickflag.common.runtime import Role, Runtime
from tickflag.common.settings import Settings, load
from tickflag.common.streams import accept_any_text, complain, drop_unwritten, silence

LIFELINE = "TICKFLAG_LIFELINE"
"""The environment variable that names the descriptor of a pipe. Whoever starts a service with it keeps the other end:
the service ends when that is closed, which the end of its starter does, however it comes."""

DESCRIPTORS = 96  # that a service has open before the first client comes, keeps spare, and needs for some clients

KILL_AFTER_S = 4.0  # a stop is over within 5 s

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stop:
    """A request to end, made by SIGTERM, SIGINT, SIGHUP or `request`, and never taken back.

    From then on `fileno` is readable, so a loop that polls it beside its sockets ends at once:

        with Stop() as stop:
            poller.register(stop.fileno(), zmq.POLLIN)
            while not stop.requested:
                poller.poll(...)

    Enter the block in the main thread. Inside it the signals are handled, even where the process was started with one
    of them ignored, as a shell starts a background process; but SIGHUP stays ignored where it was, as by `nohup`. After
    the block handlers and wake-up descriptor are as before. A process that is forked inside the block inherits both,
    and must set its own handlers.
    """

    def __init__(self) -> None:
        self.reason = ""
        """Who asked for the end: the name of the signal, or what `request` was given."""
        self._requested = False
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._former_handlers: dict[signal.Signals, Any] = {}
        self._former_wakeup = -1

    @property
    def requested(self) -> bool:
        """Whether the end was requested."""
        if not self._requested:
            self._drain()
        return self._requested

    def fileno(self) -> int:
        """A descriptor to poll. Other signals make it readable as well, so look at `requested` then."""
        return self._reader.fileno()

    def request(self, reason: str = "") -> None:
        """Request the end, from any thread. The first reason that is given stays."""
        self.reason = self.reason or reason
        self._requested = True
        with contextlib.suppress(BlockingIOError):  # a full pair is readable as well
            self._writer.send(b"\0")

    def wait(self, timeout_s: float) -> bool:
        """Block until the end is requested, at most `timeout_s`; True if it is requested."""
        if not self.requested:
            select.select([self._reader], [], [], timeout_s)
        return self.requested

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(64)  # the bytes of other signals
        if self._requested:  # requested just now: its byte may be among those that were read, so write another
            self.request()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.request(f"{signal.Signals(number).name} received")

    def __enter__(self) -> Self:
        # Python runs handlers between two bytecodes only: a signal just before a blocking call would go unnoticed until
        # that call ends. The C handler writes to the wake-up descriptor at once, and so ends the call.
        self._former_wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        handled = [one for one in _STOP_SIGNALS if one != signal.SIGHUP or signal.getsignal(one) != signal.SIG_IGN]
        self._former_handlers = {number: signal.signal(number, self._on_signal) for number in handled}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former_wakeup)
        self._reader.close()
        self._writer.close()


def run_service(role: str, main: Callable[[Settings, Runtime, Logger, Stop], None]) -> int:
    """Run `main` as the one `role` of the instance; gives the process's exit code.

    The code is 75 where another process holds the role, 1 for any other TickflagError and where memory or threads are
    short, each with one line on standard error. `main` must return soon after `stop` is requested. Any other exception
    is our own bug, and is let through.
    """
    accept_any_text()
    raise_descriptors()
    shortage = descriptor_shortage(f"the {role}", DESCRIPTORS)
    if shortage:  # ZeroMQ would end the process in the middle of its start
        complain(f"{role}: {shortage}")
        return EXIT_FAILED
    os.umask(0o077)  # sockets, journal and logs are for their owner only
    with Stop() as stop, _starter_watched(stop):
        log_gone = threading.Event()

        def end_without_log() -> None:  # the terminal is gone, or the process manager: nobody is left to tell
            log_gone.set()
            stop.request("nobody reads the log any more")

        try:
            settings = load()
            runtime = settings.runtime_folder()
            prepare(runtime)
            with Role(runtime, role):
                log = configure(role, settings.log.level, settings.log.style, end_without_log)
                main(settings, runtime, log, stop)
        except AlreadyRunning as error:
            complain(f"{role}: {error}")
            return EXIT_ALREADY_RUNNING
        except TickflagError as error:
            complain(f"{role}: {error}")
            return EXIT_FAILED
        except BrokenPipeError:  # of a line that was written past the log
            silence(sys.stdout)
            return EXIT_FAILED
        except Exception as error:
            lacking = shortage_of(error)
            if not lacking:
                raise
            complain(f"{role}: {lacking}")
            return EXIT_FAILED
        finally:
            drop_unwritten()
    return EXIT_FAILED if log_gone.is_set() else 0


@contextlib.contextmanager
def _starter_watched(stop: Stop) -> Iterator[None]:
    """Request the end once the process that started this one has ended, where it gave us a `LIFELINE`.

    A block that does not end in time then is killed, as the starter would have done.
    """
    name = os.environ.pop(LIFELINE, "")  # what we start has us
    try:
        descriptor = int(name)
        is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    except (ValueError, OSError):
        is_pipe = False
    if not is_pipe:
        yield
        return
    os.set_inheritable(descriptor, False)
    ended = threading.Event()

    def watch() -> None:
        os.read(descriptor, 1)
        if not ended.is_set():
            with contextlib.suppress(OSError):  # the block ends just now
                stop.request("the process that started this one has ended")
        if not ended.wait(KILL_AFTER_S):
            os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def prepare(runtime: Runtime) -> None:
    """Make the runtime folder. Raises TickflagError with the setting that names another one, where that fails."""
    try:
        runtime.prepare()
    except OSError as error:
        raise TickflagError(f"runtime folder {runtime.folder}: {error.strerror}: set `runtime.root`") from None
