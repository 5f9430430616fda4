"""LaunchSpec: one trader to run, as the supervisor asks a worker process for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """What to load, under which name and with which settings. It travels as a dict of plain values."""

    source: Path | EntryPoint
    name: str
    """The name of the instance; empty for the name that the code declares."""
    own: Mapping[str, Any]
    """The trader's own settings."""
    handover_path: Path
    """The file in which a predecessor leaves what its successor goes on with."""

    @property
    def label(self) -> str:
        """What the trader is called before its code declares a name."""
        return self.name or (self.source.stem if isinstance(self.source, Path) else self.source.name)

    def to_words(self) -> dict[str, Any]:
        """The spec as plain values, for a message to the worker process."""
        source: Any = str(self.source)
        if isinstance(self.source, EntryPoint):
            source = [self.source.name, self.source.value, self.source.group]
        return {"source": source, "name": self.name, "own": dict(self.own), "handover": str(self.handover_path)}

    @classmethod
    def of_words(cls, words: Mapping[str, Any]) -> "LaunchSpec":
        """The spec that `to_words` turned into `words`."""
        source = words["source"]
        code = Path(source) if isinstance(source, str) else EntryPoint(*source)
        return cls(code, words["name"], words["own"], Path(words["handover"]))
