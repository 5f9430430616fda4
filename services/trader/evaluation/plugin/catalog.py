"""Catalog: all traders to run: files of the plugin folder, traders of packages, and instances of both."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from typing import Any

from tickflag.common.settings_schema.trader import TraderTable
from tickflag.services.trader.evaluation.plugin.loading import ENTRY_POINTS


@dataclass(frozen=True, slots=True)
class Assignment:
    """One trader to run: its code, and the name, settings and group that it runs with."""

    label: str
    """Unique, whatever the trader's name is: `rsi.py`, `traders.rsi_fast`, `momentum (pack.momentum)`."""
    stem: str
    """The stem of the trader's file, or the name of its entry point."""
    source: Path | EntryPoint | None
    """Where the code is; None where it was not found: then `fault` says why."""
    name: str = ""
    """The name of the instance; empty for the name that the code declares."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True
    fault: str = ""
    group: str = ""
    """The traders of one group share a process; empty for a trader with a process of its own."""

    @property
    def settings_digest(self) -> str:
        """Tells settings apart without telling them; empty for none."""
        text = json.dumps(self.settings, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16] if self.settings else ""

    @property
    def shown_source(self) -> str:
        """Path of the file, or module of the package; empty for none."""
        if isinstance(self.source, EntryPoint):
            return self.source.value
        return str(self.source or "")


def trader_files(folder: Path) -> list[Path]:
    """The trader files of a plugin folder: all `*.py` whose names do not begin with `_`, `.` or `test_`."""
    return sorted(path.resolve() for path in folder.glob("*.py") if not path.name.startswith(("_", ".", "test_")))


def read_catalog(folder: Path, tables: Mapping[str, TraderTable]) -> list[Assignment]:
    """Instances in the order of their tables, then the code that no table names: files, then packages, each by name.

    A file hides a package's trader of the same name.
    """
    entries, found = _entry_points()
    sources: dict[str, Path | EntryPoint] = {entry.name: entry for entry in entries}
    sources |= {path.stem: path for path in trader_files(folder)}
    named = set()
    for name, table in tables.items():
        stem = table.source or name
        named.add(stem)
        fault = "" if stem in sources else _unknown(name, stem, sources)
        found.append(
            Assignment(
                f"traders.{name}", stem, sources.get(stem), name, table.settings, table.enabled, fault, table.group
            )
        )
    rest = [(isinstance(source, EntryPoint), stem, source) for stem, source in sources.items() if stem not in named]
    for _, stem, source in sorted(rest, key=lambda one: one[:2]):
        label = source.name if isinstance(source, Path) else f"{stem} ({source.value})"
        found.append(Assignment(label, stem, source))
    return found


def _entry_points() -> tuple[list[EntryPoint], list[Assignment]]:
    """The entry points of all packages, and an assignment with a fault for each package whose entry points cannot be
    read."""
    found: list[EntryPoint] = []
    faults: list[Assignment] = []
    for package in distributions():
        try:
            found += package.entry_points.select(group=ENTRY_POINTS)
        except Exception as error:  # noqa: BLE001 - a malformed package may raise anything
            if ENTRY_POINTS in (package.read_text("entry_points.txt") or ""):
                fault = f"package {package.name}: its entry points cannot be read: {error}"
                faults.append(Assignment(f"package {package.name}", package.name, None, fault=fault))
    return found, faults


def _unknown(name: str, stem: str, sources: Mapping[str, object]) -> str:
    there = ", ".join(sorted(sources)) or "none"
    return f"traders.{name}.source: no trader file or entry point {stem!r}; there are {there}"
