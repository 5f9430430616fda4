"""Which traders a replay runs: files and folders in, loaded plugins out."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import PluginError, TickflagError

if TYPE_CHECKING:
    from services.trader.plugin import Plugin


def trader_files(places: Iterable[Path]) -> list[Path]:
    """The files, and those of the folders by name. Raises TickflagError for a place that is not there."""
    files: list[Path] = []
    for place in places:
        if place.is_file():
            files.append(place)
        elif place.is_dir():
            files += sorted(path for path in place.glob("*.py") if not path.name.startswith(("_", ".")))
        else:
            raise TickflagError(f"no such folder or file of traders: {place}")
    return list(dict.fromkeys(files))


def load_traders(
    files: Iterable[Path], only: Collection[str], complain: Callable[[str], None]
) -> "dict[str, tuple[Path, Plugin]]":
    """By name, those that can run: all, or `only` these. Of two files of one name the first has it.

    Raises TickflagError where one of `only` is not among them, or none is left.
    """
    from services.trader.plugin import load_plugin

    loaded: dict[str, tuple[Path, Plugin]] = {}
    for path in files:
        try:
            plugin = load_plugin(path)
        except PluginError as error:
            complain(f"trader skipped: {error}")
            continue
        name = plugin.trader.name
        if name in loaded:
            complain(f"trader skipped: {path.name}: the name {name!r} is already that of {loaded[name][0].name}")
        else:
            loaded[name] = path, plugin
    for name in only:
        if name not in loaded:
            raise TickflagError(f"no trader {name!r} to replay with; there is {', '.join(sorted(loaded)) or 'none'}")
    chosen = {name: found for name, found in loaded.items() if not only or name in only}
    if not chosen:
        raise TickflagError("no trader to replay with")
    return chosen
