"""The blocks of the collector: the service itself, recovery, other machines."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tickflag.common.settings_schema.block import Block
from tickflag.common.units import S_PER_DAY


class CollectorBlock(Block):
    journal: str = ""
    """File of the journal; without one it lies below a `runtime.root` that is set, else in the user's state folder."""
    journal_keep: int = Field(1_000_000, ge=1)
    """Signals kept in the journal."""
    sync: Literal["off", "1s", "always"] = "1s"
    """When signals are brought to the disk: `always` before they are published, `off` when the system likes."""
    heartbeat_ms: Annotated[float, Field(ge=10, le=60_000)] = 500.0
    """Time between repetitions of the control state."""
    stale_after_ms: Annotated[float, Field(ge=50, le=3_600_000)] = 5_000.0
    """A trader that reports nothing for so long is stale."""
    metrics_host: str = "127.0.0.1"
    """Address at which the metrics are served."""
    metrics_port: int = Field(9464, ge=0, le=65_535)
    """Port of the metrics, or the next free one where it is taken; 0 switches them off."""
    flag_provider: str = ""
    """An OpenFeature provider instead of the file of feature flags: the function `package.module:name` makes it."""


class RecoveryBlock(Block):
    errors: int = Field(5, ge=1, le=10_000)
    """So many failed cycles of one class, within `window_s`, open a trader's circuit."""
    window_s: float = Field(60.0, gt=0, le=S_PER_DAY)
    """The time within which these failures count."""
    clean_cycles: int = Field(20, ge=1, le=1_000_000)
    """The circuit closes after so many clean cycles."""
    least_s: float = Field(5.0, gt=0, le=S_PER_DAY)
    """A probe lasts at least so long, however many clean cycles it has."""
    backoff_s: float = Field(30.0, gt=0, le=S_PER_DAY)
    """First quarantine, and least time of processing all; doubled each time the circuit soon opens again."""
    backoff_limit_s: float = Field(1_800.0, gt=0, le=S_PER_DAY)
    """The longest that these become."""
    probe_s: float = Field(60.0, gt=0, le=S_PER_DAY)
    """Longest time of a probe."""
    calm_s: float = Field(600.0, gt=0, le=S_PER_DAY)
    """Time without an error after which the next backoff is halved."""


def _served(address: str) -> str:
    port = re.fullmatch(r"tcp://(?:[A-Za-z0-9_.*-]+|\[[0-9A-Fa-f:.%]+\]):(\d{1,5}|\*)", address)
    if address and (port is None or (port[1] != "*" and not 0 < int(port[1]) < 65_536)):
        raise ValueError("must be an address of this machine with a port, as `tcp://0.0.0.0:7711`")
    return address


def _reached(address: str) -> str:
    if "*" in address:
        raise ValueError("must be the address of one machine, as `tcp://engine.example.org:7711`")
    return _served(address)


class RemoteBlock(Block):
    commands: Annotated[str, AfterValidator(_served)] = ""
    """Address for commands from other machines, as `tcp://0.0.0.0:7711`; without one the collector takes none."""
    signals: Annotated[str, AfterValidator(_served)] = ""
    """Address for the signals to other machines, as `tcp://0.0.0.0:7712`; without one none are published there."""
    server_key: str = ""
    """File of the engine's secret key; else `keys/server.key_secret` in the state folder."""
    allowed: str = ""
    """Folder of the public keys that may connect; else `keys/allowed` in the state folder."""
    connections: Annotated[int, Field(ge=1, le=10_000)] = 128
    """Most connections at each of the two addresses; further ones are hung up."""
    connect: Annotated[str, AfterValidator(_reached)] = ""
    """Commands go to the collector at this address of another machine, as `tcp://engine.example.org:7711`."""
    connect_key: str = ""
    """File of that engine's public key; else `keys/server.key` in the state folder."""
    client_key: str = ""
    """File of the operator's own secret key, as `tickflag keys new-client` makes it."""
