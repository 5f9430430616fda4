"""Registry: finds the source that the settings name, a built-in one or one of an installed package."""

from importlib.metadata import entry_points

from tickflag.common.errors import TickflagError
from tickflag.common.settings import Settings
from tickflag.services.feed.sources.replay import ReplaySource
from tickflag.services.feed.sources.source import Source
from tickflag.services.feed.sources.synthetic import SyntheticSource

GROUP = "tickflag.sources"


def open_source(settings: Settings) -> Source:
    """The source that `feed.source` names. Raises TickflagError, which names the sources there are."""
    name = settings.feed.source
    if name == "synthetic":
        return SyntheticSource(settings.synthetic)
    if name == "replay":
        return ReplaySource(settings.replay)
    plugins = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in plugins:
        known = ", ".join(["synthetic", "replay", *sorted(plugins)])
        raise TickflagError(f"setting `feed.source`: there is no source {name!r} (there are: {known})")
    source = plugins[name].load()(settings)
    if not isinstance(source, Source):
        raise TickflagError(f"source plugin {name!r} gives a {type(source).__name__}, not a Source")
    return source
