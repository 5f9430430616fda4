"""FileChanges: which files were added, changed or removed, each told once its change is complete.

An editor writes in steps. It truncates and fills a file; or it writes a new file and renames it, and for a moment the
old file is away.
"""

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

from tickflag.common.units import NS_PER_MS

REST_NS = 300 * NS_PER_MS  # a file that nobody has written for so long is complete
GONE_NS = 1_000 * NS_PER_MS  # a file that is away for so long was removed, not moved aside
RECHECK_NS = 100 * NS_PER_MS  # between checks while a file is being changed

_Status = tuple[int, int, int] | None


class FileChanges:
    """Compares the files that `paths` gives now with those of before. Files that exist at the start are not changes."""

    def __init__(self, paths: Callable[[], Iterable[Path]]) -> None:
        self._paths = paths
        self._known = self._statuses()
        self._moving: dict[Path, tuple[_Status, int]] = {}
        """Files that are being changed -> their last status, and since when they have it."""

    @property
    def moving(self) -> bool:
        """Whether a file is being changed: then check again after RECHECK_NS."""
        return bool(self._moving)

    def completed(self, now_ns: int) -> set[Path]:
        """The files that were added, changed or removed, each once its change is complete."""
        found = self._statuses()
        changed = set()
        for path in found.keys() | self._known.keys():
            status = found.get(path)
            if status == self._known.get(path):
                self._moving.pop(path, None)
                continue
            before, since_ns = self._moving.get(path, (self._known.get(path), now_ns))
            if status != before or path not in self._moving:
                self._moving[path] = status, now_ns
            elif now_ns - since_ns >= (GONE_NS if status is None else REST_NS):
                del self._moving[path]
                changed.add(path)
                if status is None:
                    del self._known[path]
                else:
                    self._known[path] = status
        for path in self._moving.keys() - found.keys() - self._known.keys():  # came and went
            del self._moving[path]
        return changed

    def _statuses(self) -> dict[Path, _Status]:
        statuses: dict[Path, _Status] = {}
        for path in self._paths():
            with contextlib.suppress(OSError):
                status = path.stat()
                statuses[path] = status.st_mtime_ns, status.st_size, status.st_ino
        return statuses
