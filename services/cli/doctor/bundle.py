"""Bundle: a .tar.gz of files for an investigation, readable by its owner only."""

import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tickflag.common.errors import TickflagError
from tickflag.services.cli.output import finite, one_line

ENDING = ".tar.gz"
ABSENT = "absent.txt"
REMOVED = b"(removed)"


class Bundle:
    """A bundle while it is being written; `create` makes it."""

    def __init__(self, archive: tarfile.TarFile, folder: str) -> None:
        self._archive, self._folder = archive, folder
        self.files: list[str] = []
        """Names of the files in the bundle, within its one folder."""
        self.absent: dict[str, str] = {}
        """Name of each file that is missing -> the reason."""
        self.secrets: list[str] = []
        """Texts that no file may hold, whoever wrote them there: each is replaced by `REMOVED`."""

    def try_add(self, name: str, make: Callable[[], bytes | str]) -> None:
        """Add a file with what `make` gives; where `make` fails, note why the file is absent."""
        try:
            content = make()
        except TickflagError as error:
            self.absent[name] = str(error)
        except Exception as error:  # noqa: BLE001 - the fault may be the very thing to investigate
            self.absent[name] = f"{type(error).__name__}: {error}"
        else:
            self.add(name, content)

    def add(self, name: str, content: bytes | str) -> None:
        """Add a file."""
        data = content.encode(errors="replace") if isinstance(content, str) else content
        for secret in self.secrets:
            data = data.replace(secret.encode(), REMOVED)
        entry = tarfile.TarInfo(f"{self._folder}/{name}")
        entry.size, entry.mode, entry.mtime = len(data), 0o600, int(time.time())
        self._archive.addfile(entry, io.BytesIO(data))
        self.files.append(name)


@contextmanager
def create(path: Path) -> Iterator[Bundle]:
    """Make the file, readable by its owner only; remove it where it could not be finished.

    Raises TickflagError where a file of this name exists, or the file cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise TickflagError(f"{path} exists: name another file") from None
    except OSError as error:
        raise TickflagError(f"{path}: {error.strerror}: name another file") from None
    try:
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            bundle = Bundle(archive, path.name.removesuffix(ENDING))
            yield bundle
            if bundle.absent:
                bundle.add(ABSENT, "".join(f"{name}: {one_line(why)}\n" for name, why in bundle.absent.items()))
    except BaseException as error:  # nothing is left behind, not after an interrupt either
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise TickflagError(f"{path}: {error.strerror}") from None
        raise


def as_json(document: Any) -> str:
    """The document as JSON, indented for people."""
    return json.dumps(finite(document), indent=2, ensure_ascii=False, default=str) + "\n"
