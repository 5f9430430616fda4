"""The traders that a replay runs. In: files and folders, or the configured instances. Out: loaded plugins."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from tickflag.common.errors import PluginError, TickflagError
from tickflag.common.settings import Settings
from tickflag.services.trader.evaluation.plugin.catalog import Assignment, read_catalog, trader_files
from tickflag.services.trader.evaluation.plugin.plugin import Plugin, load_plugin


class OwnSetting(NamedTuple):
    """A value for one of a trader's own settings."""

    trader: str
    """Empty where there is only one trader."""
    key: str
    value: Any


Cast: TypeAlias = Sequence[Assignment]
"""The traders to choose from."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A trader that can run, and the assignment that it was loaded from."""

    plugin: Plugin
    assignment: Assignment

    def again(self, settings: Mapping[str, Any] | None = None) -> Plugin:
        """Load the trader once more; `settings` override those of its instance. Raises PluginError."""
        return _load(self.assignment, settings or {})


class Chosen(NamedTuple):
    """The traders of a cast that a replay runs."""

    loaded: dict[str, Loaded]
    """Name -> trader."""
    refused: dict[str, str]
    """File or instance of each trader that does not load -> the reason. Empty where traders were asked for by name, as
    all of these must load."""


def configured(settings: Settings) -> Cast:
    """The instances that the engine would run. Raises TickflagError where there is no plugin folder."""
    folder = settings.trader.plugins
    if not folder.is_dir():
        raise TickflagError(f"no such folder or file of traders: {folder}")
    return [one for one in read_catalog(folder, settings.traders) if one.enabled]


def placed(places: Iterable[Path]) -> Cast:
    """The given trader files, and those in the given folders, by name. Raises TickflagError for a missing path."""
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


def parse_setting(text: str) -> OwnSetting:
    """The setting of a text as `period=20` or `rsi.period=20`. Raises ValueError."""
    place, equals, value = text.partition("=")
    trader, dot, key = place.strip().rpartition(".")
    if not (equals and key) or (dot and not trader):
        raise ValueError(f"{text!r}: use SETTING=VALUE as period=20, or TRADER.SETTING=VALUE as rsi.period=20")
    return OwnSetting(trader, key, parse_value(value))


def parse_value(text: str) -> Any:
    """The value of a JSON text; any other text is itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def load_traders(
    cast: Cast, only: Collection[str], complain: Callable[[str], None], own: Sequence[OwnSetting] = ()
) -> Chosen:
    """Load all traders of the cast, or those that `only` names. Where two have one name, the second is left out.

    The settings `own` replace those of the trader's instance. Raises TickflagError where a trader of `only` does not
    load, a setting of `own` has no trader or is not the trader's, or no trader is left.
    """
    loaded: dict[str, Loaded] = {}
    refused: dict[str, str] = {}
    given = _by_trader(cast, only, own)
    for one in cast:
        try:
            found = _fitted(one, given)
        except PluginError as error:
            complain(f"trader skipped: {error}")
            refused[one.label] = str(error)
            continue
        name = found.plugin.trader.name
        if name in loaded:
            complain(
                f"trader skipped: {one.label}: the name {name!r} is already that of {loaded[name].assignment.label}"
            )
        else:
            loaded[name] = found
    for name in only:
        if name not in loaded:
            raise TickflagError(f"no trader {name!r} to replay with; there is {', '.join(sorted(loaded)) or 'none'}")
    chosen = {name: found for name, found in loaded.items() if not only or name in only}
    if not chosen:
        raise TickflagError("no trader to replay with")
    known = {name for found in chosen.values() for name in (_place(found.assignment), found.plugin.trader.name)}
    for name in given:
        if name not in known:
            raise TickflagError(f"`--settings`: no trader {name!r} is replayed; there is {', '.join(sorted(chosen))}")
    return Chosen(chosen, {} if only else refused)


def _by_trader(cast: Cast, only: Collection[str], own: Iterable[OwnSetting]) -> dict[str, dict[str, Any]]:
    """Trader -> key -> value. Raises TickflagError for a setting that does not say of which trader it is."""
    choice = [*only] or [_place(one) for one in cast]
    given: dict[str, dict[str, Any]] = {}
    for one in own:
        if not one.trader and len(choice) != 1:
            key = f"{one.key}={one.value}"
            raise TickflagError(f"`--settings {key}`: {len(choice)} traders to choose from: name one, as rsi.{key}")
        given.setdefault(one.trader or choice[0], {})[one.key] = one.value
    return given


def _place(one: Assignment) -> str:
    """The name of the trader's instance, or else of its file: known before it is loaded."""
    return one.name or one.stem


def _fitted(one: Assignment, given: Mapping[str, Mapping[str, Any]]) -> Loaded:
    """The trader with the settings that are given by the name of its place or by its own. Raises PluginError; where
    settings are given, TickflagError: a trader that was asked for is not left out."""
    place = _place(one)
    found = _with_settings(one, given[place]) if place in given else Loaded(_load(one, {}), one)
    name = found.plugin.trader.name
    return _with_settings(found.assignment, given[name]) if name in given and name != place else found


def _with_settings(one: Assignment, settings: Mapping[str, Any]) -> Loaded:
    one = replace(one, settings={**one.settings, **settings})
    try:
        return Loaded(_load(one, {}), one)
    except PluginError as error:
        raise TickflagError(str(error)) from None


def _load(assignment: Assignment, settings: Mapping[str, Any]) -> Plugin:
    if assignment.source is None:
        raise PluginError(assignment.fault)
    return load_plugin(assignment.source, assignment.name, {**assignment.settings, **settings})
