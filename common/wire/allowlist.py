"""AllowList: the clients that may connect from other machines, one file each in a folder. In doubt, nobody may."""

import os
import stat
from pathlib import Path

from tickflag.common.errors import TickflagError, is_shortage
from tickflag.common.wire.keys import PUBLIC, load_public

_Marks = list[tuple[str, int, int, int]]


class AllowList:
    """Each file `NAME.key` allows the client whose public key it holds. One thread.

    A file that was added or removed takes effect at the next `refresh`. Where descriptors or memory are short, the list
    stays as it is: that says nothing about the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[bytes, str] = {}
        """Public key -> name."""
        self.trouble: list[str] = []
        """Why files, or the whole folder, are left out."""
        self._seen: tuple[_Marks, list[str]] | None = None

    def refresh(self) -> bool:
        """Read the folder again where something changed; True where a key that was allowed no longer is."""
        try:
            return self._read()
        except OSError as error:
            self._seen = None
            self.trouble = [f"{self.folder}: {error.strerror}: the keys that were allowed stay so"]
            return False

    def _read(self) -> bool:
        """As `refresh`; raises OSError for a shortage."""
        marks, trouble = seen = self._marks()
        if seen == self._seen:
            return False
        names: dict[bytes, str] = {}
        faults = []
        for file, *_ in marks:
            path = self.folder / file
            try:
                names.setdefault(load_public(path), path.stem)
            except TickflagError as error:
                if isinstance(error.__cause__, OSError) and is_shortage(error.__cause__):
                    raise error.__cause__ from None
                faults.append(f"left out: {error}")
        gone = self.names.keys() - names.keys()
        self._seen, self.names, self.trouble = seen, names, [*trouble, *faults]
        return bool(gone)

    def _marks(self) -> tuple[_Marks, list[str]]:
        """The usable files with marks that tell a change, and the reasons why others are left out."""
        try:
            if _others_write(self.folder.stat()):
                return [], [f"others can write to {self.folder}, so nobody is allowed: `chmod 700 {self.folder}`"]
            found = [(file, (self.folder / file).stat()) for file in sorted(os.listdir(self.folder)) if _counts(file)]
        except FileNotFoundError:
            return [], []
        except OSError as error:
            if is_shortage(error):
                raise
            return [], [f"{self.folder}: {error.strerror}, so nobody is allowed"]
        marks, trouble = [], []
        for file, facts in found:
            if _others_write(facts):
                path = self.folder / file
                trouble.append(f"left out: others can write to {path}: `chmod 600 {path}`")
            else:
                marks.append((file, facts.st_ino, facts.st_mtime_ns, facts.st_size))
        return marks, trouble


def _counts(file: str) -> bool:
    return file.endswith(PUBLIC) and not file.startswith(".")


def _others_write(facts: os.stat_result) -> bool:
    return bool(stat.S_IMODE(facts.st_mode) & 0o022) or facts.st_uid not in (0, os.getuid())
