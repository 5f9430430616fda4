"""The blocks of the trader service, and the table of one trader."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from tickflag.common.settings_schema.block import Block
from tickflag.common.units import S_PER_HOUR

TraderName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]


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
    """A cycle with more symbols than this is evaluated in batch mode."""
    batch_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """So is a cycle with more than this share of the watched symbols."""
    compress_from_bytes: int = Field(4096, ge=0)
    """Results of at least this size are compressed; 0 is never."""
    deadline_s: float = Field(30.0, gt=0, le=S_PER_HOUR)
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


class AuditBlock(Block):
    share: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Percent of a trader's cycles that are evaluated both ways, on the changed symbols and on all, and compared."""
    budget: Annotated[float, Field(gt=0, le=1)] = 0.02
    """Audits take at most this share of a worker's time."""


class TraderTable(Block):
    source: str = ""
    """File of the plugin folder without `.py`, or entry point; else the table's own name."""
    enabled: bool = True
    """Whether it runs."""
    group: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9_.-]{0,63})?$")] = ""
    """Traders of one group share a process and end with it; without a group a trader has its own."""
    settings: dict[str, Any] = Field(default={})
    """The trader's own settings, as its model has them."""
