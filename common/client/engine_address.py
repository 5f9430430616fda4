"""Where the engine is: on this machine, or at the collector that `remote.connect` names."""

from pathlib import Path

from tickflag.common.errors import TickflagError
from tickflag.common.settings import Settings
from tickflag.common.wire.keys import load_pair, load_public
from tickflag.common.wire.requests import RemoteEngine

_OWN = "`tickflag keys new-client NAME` makes one"
_COPY = "copy the file `server.key` from the engine's machine"


def remote_engine(settings: Settings) -> RemoteEngine | None:
    """The engine that `remote.connect` names; None where that is unset. Raises TickflagError where a key is missing."""
    chosen = settings.remote
    if not chosen.connect:
        return None
    if not chosen.client_key:
        raise TickflagError(f"setting `remote.client_key`: {chosen.connect} lets nobody in without a key: {_OWN}")
    return RemoteEngine(
        chosen.connect,
        load_public(settings.connect_key_path(), "remote.connect_key", _COPY),
        load_pair(Path(chosen.client_key), "remote.client_key", _OWN),
    )
