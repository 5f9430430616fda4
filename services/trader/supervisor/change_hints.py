"""ChangeHints: wakes the supervisor as soon as a file of a folder changes. `FileChanges` tells what changed."""

import contextlib
import socket
import threading
from collections.abc import Iterable
from pathlib import Path


class ChangeHints:
    """`fileno` becomes readable when something in the folders changes; without the package watchfiles it never does.

    A thread of its own waits for the system's events. A lost hint costs time only: the supervisor checks the files
    anyway.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        there = [folder for folder in folders if folder.is_dir()]
        with contextlib.suppress(ImportError):
            import watchfiles  # noqa: F401 - without it no thread is started

            if there:
                self._thread = threading.Thread(target=self._watch, args=(there,), daemon=True)
                self._thread.start()

    def fileno(self) -> int:
        """A descriptor to poll."""
        return self._reader.fileno()

    def received(self) -> bool:
        """Whether something changed since the last call."""
        with contextlib.suppress(BlockingIOError):
            return bool(self._reader.recv(4096))
        return False

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._reader.close()
        self._writer.close()

    def _watch(self, folders: list[Path]) -> None:
        from watchfiles import watch

        with contextlib.suppress(OSError, RuntimeError):  # too many watches, or a missing folder: regular checks go on
            for _ in watch(
                *folders, watch_filter=None, debounce=100, step=100, stop_event=self._stop, recursive=False,
                raise_interrupt=False,
            ):  # fmt: skip
                with contextlib.suppress(BlockingIOError):  # a full pipe is readable as well
                    self._writer.send(b"\0")
