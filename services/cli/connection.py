"""Where commands go: to the engine of this machine, or to the collector that `remote.connect` names."""

from pathlib import Path

import click

from common import settings as configuration
from common.errors import TickflagError
from common.keys import load_pair, load_public
from common.requests import Client, Remote
from common.settings import Settings

_OWN = "`tickflag keys new-client NAME` makes one"
_COPY = "copy the file `server.key` from the engine's machine"


def collector(settings: Settings) -> Client:
    """A connection to the collector. Raises TickflagError where `remote.connect` is set and a key is missing."""
    return Client(settings.runtime_folder(), "collector", remote=remote(settings))


def remote(settings: Settings) -> Remote | None:
    """The collector on another machine, where there is one. Raises TickflagError naming the key that is missing."""
    chosen = settings.remote
    if not chosen.connect:
        return None
    if not chosen.client_key:
        raise TickflagError(f"setting `remote.client_key`: {chosen.connect} lets nobody in without a key: {_OWN}")
    return Remote(
        chosen.connect,
        load_public(settings.connect_key_path(), "remote.connect_key", _COPY),
        load_pair(Path(chosen.client_key), "remote.client_key", _OWN),
    )


def local_settings() -> Settings:
    """The settings, for a command that needs the engine's own machine. Raises TickflagError where `remote.connect`
    names another one."""
    settings = configuration.load()
    if settings.remote.connect:
        path = click.get_current_context().command_path
        origin = configuration.origin(("remote", "connect"))
        raise TickflagError(
            f"`{path}` works on the engine's own machine only, and the setting `remote.connect` ({origin}) names "
            f"{settings.remote.connect}: run it there"
        )
    return settings
