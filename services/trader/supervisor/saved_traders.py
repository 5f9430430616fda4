"""SavedTraders: what the trader service remembers of its traders over a restart, in a small file of the state
folder."""

import contextlib
import json
from pathlib import Path

from tickflag.common.errors import TickflagError, damage_in_words

FILE = "traders.json"


class SavedTraders:
    """Which traders operators enabled or disabled, and the name that each trader declared last. One thread.

    The key is the label of a trader's assignment. A damaged file counts as empty; `fault` then says what is wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.switches: dict[str, bool] = {}
        """Label -> whether an operator enabled or disabled the trader; the settings do not matter then."""
        self.names: dict[str, str] = {}
        """Label -> declared name, so that a file that fails to load is still known as its trader."""
        self.life = 0
        """Number of the service's last start; 0 where none is known."""
        self.fault = ""
        self._unsaved = False  # the last write failed
        try:
            found = json.loads(path.read_text())
            self.switches = {str(label): bool(on) for label, on in found["switched"].items()}
            self.names = {str(label): str(name) for label, name in found["names"].items()}
            self.life = max(0, int(found.get("life", 0)))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            self.fault = f"{path}: {damage_in_words(error)}"

    def save_switch(self, label: str, on: bool) -> None:
        """Keep an operator's decision until the next one. Raises TickflagError where the file cannot be written."""
        if self.switches.get(label) != on or self._unsaved:
            self.switches[label] = on
            try:
                self._save()
            except OSError as error:
                raise TickflagError(f"done, but not kept over a restart: {self._path}: {error.strerror}") from None

    def save_name(self, label: str, name: str) -> None:
        """Keep the name that a trader declared."""
        if self.names.get(label) != name:
            self.names[label] = name
            with contextlib.suppress(OSError):  # no space: after the next start the trader declares its name again
                self._save()

    def forget_name(self, label: str) -> None:
        """Forget the name, as the trader's file is gone: a later file of that label is another trader."""
        if self.names.pop(label, None) is not None:
            with contextlib.suppress(OSError):  # as above
                self._save()

    def save_life(self, life: int) -> None:
        """Keep the number of a start of the service."""
        self.life = life
        with contextlib.suppress(OSError):  # no space: the collector then says which incarnations it knows
            self._save()

    def _save(self) -> None:
        self._unsaved = True
        fresh = self._path.with_suffix(".new")
        content = {"switched": self.switches, "names": self.names, "life": self.life}
        fresh.write_text(json.dumps(content, indent=1) + "\n")
        fresh.replace(self._path)
        self._unsaved = False
