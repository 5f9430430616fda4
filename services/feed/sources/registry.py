"""Registry: which sources there are, and the one that the settings name."""

from importlib.metadata import entry_points

from common.errors import TickflagError
from common.settings import Settings
from services.feed.sources.base import Source
from services.feed.sources.replay import ReplaySource
from services.feed.sources.synthetic import SyntheticSource

GROUP = "tickflag.sources"


def open_source(settings: Settings) -> Source:
    """The source that `feed.source` names. Raises TickflagError naming those there are."""
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
