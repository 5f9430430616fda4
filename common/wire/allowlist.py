"""AllowList: the clients that may connect from other machines, as the files of a folder. Where in doubt, nobody may."""

import os
import stat
from pathlib import Path

from common.errors import TickflagError
from common.keys import PUBLIC, load_public

_Marks = list[tuple[str, int, int, int]]


class AllowList:
    """Each file `NAME.key` allows the client whose public key it holds. One thread.

    A file that comes or goes counts from the next `refresh` on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[bytes, str] = {}
        """Public key -> name."""
        self.trouble: list[str] = []
        """Why a file, or the whole folder, is left out."""
        self._seen: tuple[_Marks, list[str]] | None = None

    def refresh(self) -> bool:
        """Read the folder again where something changed; True where a key is not allowed any more."""
        marks, trouble = seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        names: dict[bytes, str] = {}
        faults = []
        for file, *_ in marks:
            path = self.folder / file
            try:
                names.setdefault(load_public(path), path.stem)
            except TickflagError as error:
                faults.append(f"left out: {error}")
        gone = self.names.keys() - names.keys()
        self.names, self.trouble = names, [*trouble, *faults]
        return bool(gone)

    def _look(self) -> tuple[_Marks, list[str]]:
        """The files that count, by what a change is told; and why others do not."""
        try:
            if _others_write(self.folder.stat()):
                return [], [f"others can write to {self.folder}, so nobody is allowed: `chmod 700 {self.folder}`"]
            found = [(file, (self.folder / file).stat()) for file in sorted(os.listdir(self.folder)) if _counts(file)]
        except FileNotFoundError:
            return [], []
        except OSError as error:
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
