"""Catalog: which traders there are to run: files of the plugin folder, packages, and their instances."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from typing import Any

from common.blocks import TraderTable
from services.trader.loading import ENTRY_POINTS


@dataclass(frozen=True, slots=True)
class Assignment:
    """One trader to run: its code, and as what."""

    label: str
    """What tells it from all others, whatever its name: `rsi.py`, `traders.rsi_fast`, `momentum (pack.momentum)`."""
    stem: str
    """Of its file, or its entry point's name."""
    source: Path | EntryPoint | None
    """Its code; None where there is none of this name, as `fault` says."""
    name: str = ""
    """The instance's; empty: the one that the code declares."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True
    fault: str = ""
    group: str = ""
    """Of those that share a process; empty: it has one of its own."""

    @property
    def shown_source(self) -> str:
        """Path of the file, or the package's module."""
        if isinstance(self.source, EntryPoint):
            return self.source.value
        return str(self.source or "")


def trader_files(folder: Path) -> list[Path]:
    """The files of a plugin folder that are traders: `*.py` not beginning with `_`, `.` or `test_`."""
    return sorted(path.resolve() for path in folder.glob("*.py") if not path.name.startswith(("_", ".", "test_")))


def read_catalog(folder: Path, tables: Mapping[str, TraderTable]) -> list[Assignment]:
    """Instances in the order of their tables, then what no table names: files, then packages, by name.

    A file stands in the place of a package's trader of the same name.
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
    """Those of all packages, and one assignment at fault for each package that names some and cannot be read."""
    found: list[EntryPoint] = []
    faults: list[Assignment] = []
    for package in distributions():
        try:
            found += package.entry_points.select(group=ENTRY_POINTS)
        except Exception as error:  # noqa: BLE001 - what is malformed fails in ways of its own
            if ENTRY_POINTS in (package.read_text("entry_points.txt") or ""):
                fault = f"package {package.name}: its entry points cannot be read: {error}"
                faults.append(Assignment(f"package {package.name}", package.name, None, fault=fault))
    return found, faults


def _unknown(name: str, stem: str, sources: Mapping[str, object]) -> str:
    there = ", ".join(sorted(sources)) or "none"
    return f"traders.{name}.source: no trader file or entry point {stem!r}; there are {there}"
