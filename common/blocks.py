"""The blocks of the settings: each key with its default, unit, limits and meaning. An unknown key is refused."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from common.layout import MAX_CAPACITY, MAX_INTERVALS
from common.runtime import default_root
from common.segment import interval_seconds

LAST = "last"
"""The entry of `feed.history` that is no file."""

Milliseconds = Annotated[float, Field(ge=0, le=86_400_000)]
TraderName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]


class Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class RuntimeBlock(Block):
    root: Path = Field(default_factory=default_root)
    """Folder below which each instance has its segment, sockets, locks and logs; where it is set, the journal too."""


class LogBlock(Block):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is written."""
    style: Literal["console", "json"] = "console"
    """Lines for people or for programs."""


class SegmentBlock(Block):
    capacity: int = Field(1024, ge=1, le=MAX_CAPACITY)
    """Symbols the segment has room for."""
    depth: int = Field(100, ge=1, le=100_000)
    """Closed candles kept for each symbol and interval."""
    intervals: list[str] = Field(["1m", "5m", "15m", "1h"], min_length=1, max_length=MAX_INTERVALS)
    """Candle intervals: a number and s, m, h or d."""
    growth: bool = False
    """A full segment is followed by one of twice the capacity, instead of refusing new symbols."""

    @field_validator("intervals")
    @classmethod
    def _known(cls, intervals: list[str]) -> list[str]:
        seconds = sorted({interval_seconds(interval) for interval in intervals})
        if len(seconds) != len(intervals):
            raise ValueError("an interval is named twice")
        return sorted(intervals, key=interval_seconds)


class SyntheticBlock(Block):
    symbols: int = Field(300, ge=1, le=MAX_CAPACITY)
    """Symbols of the generated market."""
    rate: float = Field(400.0, ge=0, le=5_000_000)
    """Ticks a second in a quiet phase."""
    busy_factor: float = Field(5.0, ge=1, le=1_000)
    """How much busier a busy phase is."""
    phase_s: float = Field(30.0, gt=0, le=86_400)
    """Length of a quiet phase; a busy one takes a fifth of it."""
    seed: int = 7
    """The same seed gives the same market."""
    history: int = Field(100, ge=0, le=100_000)
    """Candles of each interval that exist at the start."""


class ReplayBlock(Block):
    recordings: list[Path] = []
    """Files that the source `replay` plays, merged by time."""
    speed: float = Field(1.0, ge=0, le=1_000_000)
    """Multiple of real time; 0 is as fast as possible."""


class FeedBlock(Block):
    source: str = "synthetic"
    """`synthetic`, `replay`, or the name of a source plugin."""
    min_swap_interval_ms: Milliseconds = 100.0
    """Least time between two swaps; 0 swaps after each batch from the source."""
    rate_limit_ms: Milliseconds = 100.0
    """Least time between two ticker announcements of one symbol; 0 is off."""
    heartbeat_ms: Annotated[float, Field(ge=10, le=60_000)] = 500.0
    """Time between signs of life. Readers call a feed stale after three."""
    watermark_ms: Milliseconds = 2_000.0
    """How long after its end a candle waits for late trades."""
    history: list[str] = []
    """Candles at the start: recordings, and `last` for those saved at the last stop."""
    history_age_s: Annotated[float, Field(ge=0, le=31_622_400)] = 3_600.0
    """How long ago that stop may be."""


class TraderBlock(Block):
    plugins: Path = Path("plugins")
    """Folder whose `*.py` files are traders."""
    safe: bool = False
    """Load no trader; everything else runs."""
    reload: bool = True
    """Follow changes of trader files and of `traders.toml` while running."""
    tracking: bool = True
    """Process only the changed symbols; off: all of them in every cycle."""
    deltas: bool = True
    """Send what changed; off: the whole match set in every cycle that changed it."""
    chunk: int = Field(1024, ge=1, le=1_000_000)
    """A cycle with more symbols than this is evaluated in chunks of so many (vectorised traders)."""
    batch_chunk: int = Field(20, ge=1, le=1_000_000)
    """In batch mode a cycle is evaluated in chunks of so many symbols (per-symbol traders)."""
    batch_symbols: int = Field(50, ge=1, le=1_000_000)
    """Batch mode is for cycles with more symbols than this,"""
    batch_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """and for those with more than this share of the watched symbols."""
    compress_from_bytes: int = Field(4096, ge=0)
    """Results of at least this size are compressed; 0 is never."""
    deadline_s: float = Field(30.0, gt=0, le=3_600)
    """A worker whose cycle takes longer is killed and started again."""
    slow_share: Annotated[float, Field(ge=0, le=100)] = 0.5
    """A trader whose cycles take more than this share of the time between two is warned about; 0 is never."""
    memory_limit_mb: int = Field(1024, ge=16, le=1 << 20)
    """A worker that takes more memory of its own is killed and started again."""
    thread_limit: int = Field(64, ge=0, le=1_000_000)
    """A worker with more threads of its own is warned about."""
    restart_ms: Annotated[float, Field(ge=1, le=60_000)] = 200.0
    """Wait before the first restart of a worker; doubled with each further one."""
    restart_limit_ms: Annotated[float, Field(ge=1, le=3_600_000)] = 30_000.0
    """Longest wait before a restart."""
    heartbeat_ms: Annotated[float, Field(ge=10, le=60_000)] = 1_000.0
    """Time between a worker's reports to the collector."""
    log_limit_bytes: int = Field(1 << 20, ge=4096)
    """A trader's log file is cut where it would be larger."""


class TraderTable(Block):
    source: str = ""
    """File of the plugin folder without `.py`, or entry point; else the table's own name."""
    enabled: bool = True
    """Whether it runs."""
    group: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9_.-]{0,63})?$")] = ""
    """Traders of one group share a process, and its fate; else it has one of its own."""
    settings: dict[str, Any] = {}
    """The trader's own settings, as its model has them."""


class CollectorBlock(Block):
    journal: str = ""
    """File of the journal; else below a `runtime.root` that is set, or in the user's state folder."""
    journal_keep: int = Field(1_000_000, ge=1)
    """Signals kept in the journal."""
    heartbeat_ms: Annotated[float, Field(ge=10, le=60_000)] = 500.0
    """Time between repetitions of the control state."""
    stale_after_ms: Annotated[float, Field(ge=50, le=3_600_000)] = 5_000.0
    """A trader that reports nothing for so long is stale."""
    metrics_host: str = "127.0.0.1"
    """Address at which the metrics are served."""
    metrics_port: int = Field(9464, ge=0, le=65_535)
    """Its port, or where that is taken the next one that is free; 0 is no metrics."""
    flag_provider: str = ""
    """An OpenFeature provider in place of the file of feature flags: `package.module:name` of what makes it."""


class RecoveryBlock(Block):
    errors: int = Field(5, ge=1, le=10_000)
    """Failed cycles of a trader, of one class, that open a circuit."""
    window_s: float = Field(60.0, gt=0, le=86_400)
    """Within what time."""
    clean_cycles: int = Field(20, ge=1, le=1_000_000)
    """Clean cycles after which it closes."""
    least_s: float = Field(5.0, gt=0, le=86_400)
    """Least time of a probe that its clean cycles end."""
    backoff_s: float = Field(30.0, gt=0, le=86_400)
    """First quarantine, and least time of processing all; doubled with each opening that follows soon."""
    backoff_limit_s: float = Field(1_800.0, gt=0, le=86_400)
    """Longest of these."""
    probe_s: float = Field(60.0, gt=0, le=86_400)
    """Longest time of a probe."""
    calm_s: float = Field(600.0, gt=0, le=86_400)
    """Time without an error after which the next backoff is halved."""


class AuditBlock(Block):
    share: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Percent of a trader's cycles that are evaluated both ways, on the changed symbols and on all, and compared."""
    budget: Annotated[float, Field(gt=0, le=1)] = 0.02
    """Share of a worker's time that this may take."""


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
    """Address at which the collector takes commands from other machines, as `tcp://0.0.0.0:7711`; else from none."""
    signals: Annotated[str, AfterValidator(_served)] = ""
    """Address at which it publishes the signals to other machines, as `tcp://0.0.0.0:7712`; else to none."""
    server_key: str = ""
    """File of the engine's secret key; else `keys/server.key_secret` in the state folder."""
    allowed: str = ""
    """Folder of the public keys that may connect; else `keys/allowed` in the state folder."""
    connect: Annotated[str, AfterValidator(_reached)] = ""
    """Commands go to the collector at this address of another machine, as `tcp://engine.example.org:7711`."""
    connect_key: str = ""
    """File of its public key; else `keys/server.key` in the state folder."""
    client_key: str = ""
    """File of one's own secret key, as `tickflag keys new-client` makes it."""
