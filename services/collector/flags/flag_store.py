"""FlagStore: the document of feature flags in a file, with a copy of the last good one beside it.

A change is written to a new file, which is synced and then takes the place of the old one: whatever happens, one of the
two is there as a whole. The file may be edited by hand as well. Where the file is not valid, the feature flags stay as
they are.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from tickflag.common.errors import TickflagError
from tickflag.common.flags import Flag, FlagDocument

BY_HAND = "file"
"""The name that changes made in the file have in the history."""

_Mark = tuple[int, int, int]


class FlagStore:
    """One process, one thread. Reads the file at once. Damage is never raised: `trouble` tells of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._good_path = path.with_suffix(".good.json")
        self._mark = _mark(path)
        self._damaged = False  # the file, as it is now
        self.trouble = ""
        """What is wrong with the files; empty where all is well."""
        self.document = self._load()

    def put(self, flags: Mapping[str, Flag], who: str, time_ms: int) -> None:
        """Write these feature flags in place of all. Raises TickflagError where that fails; then they stay as they
        were."""
        document = self.document.with_flags(flags, who, time_ms)
        if document is self.document:
            return
        content = document.model_dump_json(indent=2).encode() + b"\n"
        try:
            if self._damaged and self._path.exists():
                os.replace(self._path, self._path.with_suffix(".damaged.json"))  # whoever wrote it may want it back
            _write(self._path, content)
        except OSError as error:
            raise TickflagError(f"{self._path}: the feature flags cannot be saved: {error.strerror}") from None
        self.document, self._mark = document, _mark(self._path)
        self._damaged, self.trouble = False, ""
        try:
            _write(self._good_path, content)
        except OSError as error:
            self.trouble = f"{self._good_path} cannot be written: {error.strerror}"

    def refresh(self, time_ms: int) -> bool:
        """Read the file again where somebody wrote to it; True where the document or `trouble` changed."""
        mark = _mark(self._path)
        if mark == self._mark:
            return False
        self._mark = mark
        before = (self.document, self.trouble)
        try:
            found = _read(self._path)
            self._damaged, self.trouble = False, ""
            self.put(found.flags, BY_HAND, time_ms)
        except (OSError, TickflagError) as error:
            self._damaged = True
            self.trouble = f"{self._path} is not taken, and the flags are as before: {_words(error)}"
        return before != (self.document, self.trouble)

    def _load(self) -> FlagDocument:
        try:
            return _read(self._path)
        except FileNotFoundError:
            if not self._good_path.exists():
                return FlagDocument()
            self.trouble = f"{self._path} is missing"
        except (OSError, TickflagError) as error:
            self._damaged = True
            self.trouble = f"{self._path} cannot be used: {_words(error)}"
        try:
            document = _read(self._good_path)
            self.trouble += f"; the flags are those of {self._good_path.name}, revision {document.revision}"
        except (OSError, TickflagError):
            document = FlagDocument()
            self.trouble += "; there is no good copy, so all flags have their defaults"
        return document


def _read(path: Path) -> FlagDocument:
    content = path.read_bytes()
    try:
        plain = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise TickflagError(f"no JSON: {error}") from None
    return FlagDocument.parsed(plain)


def _write(path: Path, content: bytes) -> None:
    """Write the file as a whole or not at all, also where the power fails."""
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(fresh, path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _mark(path: Path) -> _Mark | None:
    """A mark that tells a changed file from an unchanged one; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _words(error: OSError | TickflagError) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)
