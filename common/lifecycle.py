"""The life of a service: settings, runtime folder, log and role at the start, signals while it runs, its exit code."""

import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from common.errors import AlreadyRunning, TickflagError
from common.log import Logger, configure
from common.runtime import Role, Runtime
from common.settings import Settings, load

EXIT_FAILED = 1
EXIT_ALREADY_RUNNING = 75

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """The wish to end. SIGTERM, SIGINT or `request` make it; it is never taken back.

    `fileno` is readable from then on, so a loop that polls it beside its sockets ends at once:

        with Stop() as stop:
            poller.register(stop.fileno(), zmq.POLLIN)
            while not stop.requested:
                poller.poll(...)

    Enter it in the main thread. Handlers and wake-up descriptor are the former ones again after the block.
    A process forked inside it inherits both: it must set its own handlers.
    """

    def __init__(self) -> None:
        self._requested = False
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._former_handlers: dict[signal.Signals, Any] = {}
        self._former_wakeup = -1

    @property
    def requested(self) -> bool:
        """The end is wished for."""
        if not self._requested:
            self._drain()
        return self._requested

    def fileno(self) -> int:
        """A descriptor to poll. It may wake the loop for another signal as well, hence look at `requested`."""
        return self._reader.fileno()

    def request(self) -> None:
        """Wish for the end, from any thread."""
        self._requested = True
        with contextlib.suppress(BlockingIOError):  # full, hence readable
            self._writer.send(b"\0")

    def wait(self, timeout_s: float) -> bool:
        """Block until the end is wished for, or for `timeout_s`; True where it is."""
        if not self.requested:
            select.select([self._reader], [], [], timeout_s)
        return self.requested

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(64)  # what other signals left
        if self._requested:  # meanwhile, and the byte that tells it may be among those taken
            self.request()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.request()

    def __enter__(self) -> Self:
        # Python runs handlers between two bytecodes only: a signal just before a blocking call would wait for its end.
        # The wake-up descriptor is written by the C handler itself and closes that hole.
        self._former_wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._former_handlers = {number: signal.signal(number, self._on_signal) for number in _STOP_SIGNALS}
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

    75 where another process holds the role, 1 for any other TickflagError, each with one line on standard error.
    `main` returns soon after `stop` is requested. Our own bugs come through with their traceback.
    """
    os.umask(0o077)  # sockets, journal and logs are their owner's only
    with Stop() as stop:
        try:
            settings = load()
            runtime = settings.runtime_folder()
            _prepare(runtime)
            with Role(runtime, role):
                main(settings, runtime, configure(role, settings.log.level, settings.log.style), stop)
        except AlreadyRunning as error:
            sys.stderr.write(f"{role}: {error}\n")
            return EXIT_ALREADY_RUNNING
        except TickflagError as error:
            sys.stderr.write(f"{role}: {error}\n")
            return EXIT_FAILED
        except BrokenPipeError:
            # Whoever read our log has gone, and with it the terminal or the process manager: nobody is left to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_FAILED
    return 0


def _prepare(runtime: Runtime) -> None:
    try:
        runtime.prepare()
    except OSError as error:
        raise TickflagError(f"runtime folder {runtime.folder}: {error.strerror}: set `runtime.root`") from None
