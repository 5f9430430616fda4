"""Order: one trader to run, as the supervisor asks a worker process for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Order:
    """What to load, and as what. It travels in words of plain values."""

    source: Path | EntryPoint
    name: str
    """Empty: the one that the code declares."""
    own: Mapping[str, Any]
    """The trader's own settings."""
    legacy_path: Path
    """Where a predecessor left what it hands over, and this one leaves it."""

    @property
    def label(self) -> str:
        """What it is called before it tells its name."""
        return self.name or (self.source.stem if isinstance(self.source, Path) else self.source.name)

    def to_words(self) -> dict[str, Any]:
        source: Any = str(self.source)
        if isinstance(self.source, EntryPoint):
            source = [self.source.name, self.source.value, self.source.group]
        return {"source": source, "name": self.name, "own": dict(self.own), "legacy": str(self.legacy_path)}

    @classmethod
    def of_words(cls, words: Mapping[str, Any]) -> "Order":
        source = words["source"]
        code = Path(source) if isinstance(source, str) else EntryPoint(*source)
        return cls(code, words["name"], words["own"], Path(words["legacy"]))
