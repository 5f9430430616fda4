"""Which traders a replay runs: places or the configured instances in, loaded plugins out."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from common.errors import PluginError, TickflagError
from common.settings import Settings
from services.trader.catalog import Assignment, read_catalog, trader_files
from services.trader.plugin import Plugin, load_plugin

Cast: TypeAlias = Sequence[Assignment]
"""Traders to choose from."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A trader that can run, and what it was made of."""

    plugin: Plugin
    assignment: Assignment

    def again(self, settings: Mapping[str, Any] | None = None) -> Plugin:
        """Another one from the same code, with `settings` above those of the instance. Raises PluginError."""
        return _load(self.assignment, settings or {})


class Chosen(NamedTuple):
    """Of a cast, what a replay is to run."""

    loaded: dict[str, Loaded]
    """By name."""
    refused: dict[str, str]
    """Of those that do not load, by file or instance: why. None where traders were asked for by name: all of these
    load."""


def configured(settings: Settings) -> Cast:
    """The instances that the engine would run. Raises TickflagError where there is no plugin folder."""
    folder = settings.trader.plugins
    if not folder.is_dir():
        raise TickflagError(f"no such folder or file of traders: {folder}")
    return [one for one in read_catalog(folder, settings.traders) if one.enabled]


def placed(places: Iterable[Path]) -> Cast:
    """The files, and those of the folders by name. Raises TickflagError for a place that is not there."""
    files: list[Path] = []
    for place in places:
        if place.is_file():
            files.append(place.resolve())
        elif place.is_dir():
            files += trader_files(place)
        else:
            name = str(place)
            hint = f"; `--only {name}` takes one trader by name" if place.name == name and place.suffix != ".py" else ""
            raise TickflagError(f"no such folder or file of traders: {place}{hint}")
    return [Assignment(path.name, path.stem, path) for path in dict.fromkeys(files)]


def load_traders(cast: Cast, only: Collection[str], complain: Callable[[str], None]) -> Chosen:
    """Those that can run: all, or `only` these. Of two of one name the first has it.

    Raises TickflagError where one of `only` is not among them, or none is left.
    """
    loaded: dict[str, Loaded] = {}
    refused: dict[str, str] = {}
    for one in cast:
        try:
            plugin = _load(one, {})
        except PluginError as error:
            complain(f"trader skipped: {error}")
            refused[one.label] = str(error)
            continue
        name = plugin.trader.name
        if name in loaded:
            complain(
                f"trader skipped: {one.label}: the name {name!r} is already that of {loaded[name].assignment.label}"
            )
        else:
            loaded[name] = Loaded(plugin, one)
    for name in only:
        if name not in loaded:
            raise TickflagError(f"no trader {name!r} to replay with; there is {', '.join(sorted(loaded)) or 'none'}")
    chosen = {name: found for name, found in loaded.items() if not only or name in only}
    if not chosen:
        raise TickflagError("no trader to replay with")
    return Chosen(chosen, {} if only else refused)


def _load(assignment: Assignment, settings: Mapping[str, Any]) -> Plugin:
    if assignment.source is None:
        raise PluginError(assignment.fault)
    return load_plugin(assignment.source, assignment.name, {**assignment.settings, **settings})
