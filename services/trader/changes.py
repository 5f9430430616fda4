"""Changes: which files changed, told when they are at rest again. Looking at them is the truth; watchfiles only hints.

An editor writes in steps: truncate and fill, or write another file and rename it, with the old one away in between.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

MS = 1_000_000
REST_NS = 300 * MS  # a file that was not written for so long is complete
GONE_NS = 1_000 * MS  # a file that is away for so long was removed, and not moved aside for a moment
LOOK_NS = 100 * MS  # between looks while one is not at rest

_State = tuple[int, int, int] | None


class Changes:
    """`paths` gives the files to look at, new ones too. What is there at the first look has not changed."""

    def __init__(self, paths: Callable[[], Iterable[Path]]) -> None:
        self._paths = paths
        self._known = self._look()
        self._restless: dict[Path, tuple[_State, int]] = {}

    @property
    def restless(self) -> bool:
        """A file is being changed: look again after LOOK_NS."""
        return bool(self._restless)

    def look(self, now_ns: int) -> set[Path]:
        """The files that were added, changed or removed, and are at rest."""
        found = self._look()
        changed = set()
        for path in found.keys() | self._known.keys():
            state = found.get(path)
            if state == self._known.get(path):
                self._restless.pop(path, None)
                continue
            before, since_ns = self._restless.get(path, (self._known.get(path), now_ns))
            if state != before or path not in self._restless:
                self._restless[path] = state, now_ns
            elif now_ns - since_ns >= (GONE_NS if state is None else REST_NS):
                del self._restless[path]
                changed.add(path)
                if state is None:
                    del self._known[path]
                else:
                    self._known[path] = state
        for path in self._restless.keys() - found.keys() - self._known.keys():  # came and went
            del self._restless[path]
        return changed

    def _look(self) -> dict[Path, _State]:
        states: dict[Path, _State] = {}
        for path in self._paths():
            with contextlib.suppress(OSError):
                status = path.stat()
                states[path] = status.st_mtime_ns, status.st_size, status.st_ino
        return states


class Hints:
    """Wakes whoever polls `fileno` when something in the folders changes; never, where watchfiles is not installed.

    A thread of its own waits for the system's notices.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        there = [folder for folder in folders if folder.is_dir()]
        with contextlib.suppress(ImportError):
            import watchfiles  # noqa: F401 - asked for before a thread is started for it

            if there:
                self._thread = threading.Thread(target=self._watch, args=(there,), daemon=True)
                self._thread.start()

    def fileno(self) -> int:
        """A descriptor to poll."""
        return self._reader.fileno()

    def take(self) -> bool:
        """Something changed since the last call."""
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

        with contextlib.suppress(OSError, RuntimeError):  # too many watches, or a folder that is gone: looks remain
            for _ in watch(
                *folders, watch_filter=None, debounce=100, step=100, stop_event=self._stop, recursive=False,
                raise_interrupt=False,
            ):  # fmt: skip
                with contextlib.suppress(BlockingIOError):  # full, hence readable
                    self._writer.send(b"\0")
