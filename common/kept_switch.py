"""KeptSwitch: a switch that outlasts a restart, as a file that is there while the switch is not as by default."""

import contextlib
import os
from pathlib import Path


class KeptSwitch:
    """One process and thread set it; any thread may read `on`."""

    def __init__(self, path: Path, default: bool) -> None:
        self._path, self._default = path, default
        self.on = default ^ path.exists()

    def set(self, on: bool) -> str:
        """Switch. Where the file cannot be written, the switch holds until the end of the process, and the text says
        why; empty where all is well."""
        self.on = on
        try:
            if on == self._default:
                with contextlib.suppress(FileNotFoundError):
                    self._path.unlink()
            else:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            return f"{self._path}: {error.strerror}"
        return ""
