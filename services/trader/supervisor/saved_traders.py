"""Memory: what the trader service keeps over its restarts, in a small file of the runtime folder."""

import contextlib
import json
from pathlib import Path

from common.errors import TickflagError

FILE = "traders.json"


class Memory:
    """Which traders operators switched on or off, and the name that each file declared last. One process, one thread.

    Traders are known by their assignment's label. A file that is damaged counts as empty: `fault` then says so.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.switched: dict[str, bool] = {}
        """Label -> on or off, whatever the settings say."""
        self.names: dict[str, str] = {}
        """Label -> declared name: so a file that does not load any more still stands for its trader."""
        self.fault = ""
        try:
            found = json.loads(path.read_text())
            self.switched = {str(label): bool(on) for label, on in found["switched"].items()}
            self.names = {str(label): str(name) for label, name in found["names"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            self.fault = f"{path}: {error!r}"

    def switch(self, label: str, on: bool) -> None:
        """An operator's word, until the next one. Raises TickflagError where it cannot be kept."""
        if self.switched.get(label) != on:
            self.switched[label] = on
            try:
                self._save()
            except OSError as error:
                raise TickflagError(f"done, but not kept over a restart: {self._path}: {error.strerror}") from None

    def learn(self, label: str, name: str) -> None:
        """A trader told its name."""
        if self.names.get(label) != name:
            self.names[label] = name
            with contextlib.suppress(OSError):  # no space: the next start may have to learn it again
                self._save()

    def forget(self, label: str) -> None:
        """Its file is gone: were there another of that label, it would be another trader."""
        if self.names.pop(label, None) is not None:
            with contextlib.suppress(OSError):  # as above
                self._save()

    def _save(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps({"switched": self.switched, "names": self.names}, indent=1) + "\n")
        fresh.replace(self._path)
