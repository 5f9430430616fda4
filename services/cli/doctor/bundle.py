"""Bundle: a .tar.gz of files, for whoever investigates, and for nobody else."""

import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.errors import TickflagError
from services.cli.output import finite, one_line

ENDING = ".tar.gz"
ABSENT = "absent.txt"


class Bundle:
    """What is put into it; made by `create`."""

    def __init__(self, archive: tarfile.TarFile, folder: str) -> None:
        self._archive, self._folder = archive, folder
        self.files: list[str] = []
        """Names of the files in it, within its one folder."""
        self.absent: dict[str, str] = {}
        """What should be in it and is not -> why."""

    def put(self, name: str, make: Callable[[], bytes | str]) -> None:
        """Add a file with what `make` gives; where it fails, note why."""
        try:
            content = make()
        except TickflagError as error:
            self.absent[name] = str(error)
        except Exception as error:  # noqa: BLE001 - what is at fault here is what the bundle is made for
            self.absent[name] = f"{type(error).__name__}: {error}"
        else:
            self.add(name, content)

    def add(self, name: str, content: bytes | str) -> None:
        """Add a file."""
        data = content.encode(errors="replace") if isinstance(content, str) else content
        entry = tarfile.TarInfo(f"{self._folder}/{name}")
        entry.size, entry.mode, entry.mtime = len(data), 0o600, int(time.time())
        self._archive.addfile(entry, io.BytesIO(data))
        self.files.append(name)


@contextmanager
def create(path: Path) -> Iterator[Bundle]:
    """Make the file, readable for its owner only; one that was not finished is removed.

    Raises TickflagError where there is a file of this name, or where it cannot be written.
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
    except BaseException as error:  # an interrupt too leaves nothing
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise TickflagError(f"{path}: {error.strerror}") from None
        raise


def as_json(document: Any) -> str:
    """For people and programs."""
    return json.dumps(finite(document), indent=2, ensure_ascii=False, default=str) + "\n"
