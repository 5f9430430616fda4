"""Where commands go: to this machine's engine, or to the collector that `remote.connect` names."""

import click

from tickflag.common import settings as configuration
from tickflag.common.client.engine_address import remote_engine
from tickflag.common.errors import TickflagError
from tickflag.common.settings import Settings
from tickflag.common.wire.requests import Client

SUPERVISOR_S = 1.0  # for the supervisor to answer


def collector_client(settings: Settings) -> Client:
    """A client of the collector. Raises TickflagError where `remote.connect` is set and a key is missing."""
    return Client(settings.runtime_folder(), "collector", remote=remote_engine(settings))


def local_settings() -> Settings:
    """The settings, for a command that needs the engine's own machine.

    Raises TickflagError where `remote.connect` names another machine.
    """
    settings = configuration.load()
    if settings.remote.connect:
        path = click.get_current_context().command_path
        origin = configuration.origin(("remote", "connect"))
        raise TickflagError(
            f"`{path}` works on the engine's own machine only, and the setting `remote.connect` ({origin}) names "
            f"{settings.remote.connect}: run it there"
        )
    return settings
