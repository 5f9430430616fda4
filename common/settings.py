"""Every setting, its default, unit and limits. TOML files < environment < arguments; an unknown key is refused.

The files are all `*.toml` of one folder: `TICKFLAG_CONFIG`, or `configs` below the current folder. An environment
variable `TICKFLAG_A__B` sets key `b` of block `a`; `docs/settings.md` lists all of them. The file `traders.toml` holds
the block `traders` alone, so its tables are named after the traders.
"""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from common.errors import TickflagError
from common.flags.catalog import FlagName
from common.layout import MAX_CAPACITY, MAX_INTERVALS
from common.runtime import JOURNAL, Runtime, default_root, state_root
from common.segment import interval_seconds

PREFIX = "TICKFLAG_"
# Variables of ours that are no settings.
NOT_SETTINGS = {"TICKFLAG_CONFIG", "TICKFLAG_TEST_DATA"}

TRADERS_FILE = "traders.toml"

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


class Settings(BaseSettings):
    """All blocks. Build with `load`, which reads the files and turns every fault into a TickflagError."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    instance: str = "main"
    """Name of this engine; several may run beside one another."""
    flags: dict[FlagName, bool] = {}
    """Feature flags that are on or off from the start, whatever is stored of them."""
    runtime: RuntimeBlock = Field(default_factory=RuntimeBlock)
    log: LogBlock = LogBlock()
    segment: SegmentBlock = SegmentBlock()  # type: ignore[call-arg] # Field's first argument is the default
    feed: FeedBlock = FeedBlock()
    synthetic: SyntheticBlock = SyntheticBlock()  # type: ignore[call-arg] # as above
    replay: ReplayBlock = ReplayBlock()  # type: ignore[call-arg] # as above
    trader: TraderBlock = TraderBlock()  # type: ignore[call-arg] # as above
    traders: dict[TraderName, TraderTable] = {}
    """Instances of traders by name, each with settings of its own."""
    collector: CollectorBlock = CollectorBlock()  # type: ignore[call-arg] # as above
    recovery: RecoveryBlock = RecoveryBlock()  # type: ignore[call-arg] # as above
    audit: AuditBlock = AuditBlock()
    remote: RemoteBlock = RemoteBlock()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _FilesSource(settings_cls)

    def runtime_folder(self) -> Runtime:
        """The instance's runtime folder."""
        return Runtime(self.runtime.root, self.instance)

    def state_folder(self) -> Path:
        """What outlives a reboot. Whoever sets `runtime.root` finds all of an instance there."""
        state = None if "root" in self.runtime.model_fields_set else state_root()
        return self.runtime_folder().folder if state is None else state / self.instance

    def journal_path(self) -> Path:
        """The journal's file."""
        return Path(self.collector.journal) if self.collector.journal else self.state_folder() / JOURNAL

    def flags_path(self) -> Path:
        """The file of the feature flags, beside the journal."""
        return self.journal_path().with_suffix(".flags.json")

    def keys_folder(self) -> Path:
        """Where keys lie that no setting names."""
        return self.state_folder() / "keys"

    def server_key_path(self) -> Path:
        """The file of the engine's secret key."""
        return Path(self.remote.server_key) if self.remote.server_key else self.keys_folder() / "server.key_secret"

    def allowed_path(self) -> Path:
        """The folder of the keys that may connect from other machines."""
        return Path(self.remote.allowed) if self.remote.allowed else self.keys_folder() / "allowed"

    def connect_key_path(self) -> Path:
        """The file of the public key of the engine on another machine."""
        return Path(self.remote.connect_key) if self.remote.connect_key else self.keys_folder() / "server.key"

    @property
    def intervals_s(self) -> tuple[int, ...]:
        return tuple(interval_seconds(interval) for interval in self.segment.intervals)


def config_folder() -> Path:
    """The folder of the settings files. Raises TickflagError where `TICKFLAG_CONFIG` names none."""
    named = os.environ.get("TICKFLAG_CONFIG")
    if named and not Path(named).is_dir():
        raise TickflagError(f"environment variable TICKFLAG_CONFIG: no such folder: {named}")
    return Path(named or "configs")


def load(**arguments: Any) -> Settings:
    """Resolve the settings. `arguments` are blocks or parts of them, as `feed={"source": "replay"}`; they win.

    Raises TickflagError naming each key at fault and where it comes from.
    """
    _check_variables()
    try:
        return Settings(**arguments)
    except ValidationError as error:
        lines = []
        for fault in error.errors(include_url=False):
            key = tuple(str(part) for part in fault["loc"] if part != "[key]")  # of a dict's key, not of its value
            reason = (
                "no such setting" if fault["type"] == "extra_forbidden" else fault["msg"].removeprefix("Value error, ")
            )
            lines.append(f"setting `{'.'.join(key)}`{_origin(key, arguments)}: {reason}")
        raise TickflagError("\n".join(lines)) from None


class _FilesSource(PydanticBaseSettingsSource):
    """The TOML files of the configuration folder, merged; a key set in two files is refused."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError("values come from __call__ only")

    def __call__(self) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for path in _files():
            for block, content in _parsed(path).items():
                if block not in merged:
                    merged[block] = content
                    continue
                known, twice = merged[block], block
                if isinstance(known, dict) and isinstance(content, dict):
                    common = sorted(known.keys() & content.keys())
                    twice = f"{block}.{common[0]}" if common else ""
                if twice:
                    raise TickflagError(f"{path}: `{twice}` is also set in another file")
                known.update(content)
        return merged


def _files() -> list[Path]:
    return sorted(config_folder().glob("*.toml"))


def _parsed(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text())
        return {"traders": content} if path.name == TRADERS_FILE else content
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise TickflagError(f"{path}: {error}") from None


def _check_variables() -> None:
    """Refuse what pydantic-settings would pass over, or name by its block only."""
    known = _variables()
    for variable, text in os.environ.items():
        name = variable.upper()
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        if name.startswith((f"{_variable('traders')}__", f"{_variable('flags')}__")):
            continue  # their keys are names, and are checked later
        if name not in known:
            blocks = ", ".join(Settings.model_fields)
            raise TickflagError(f"environment variable {variable}: no such setting (blocks: {blocks})")
        if known[name]:
            try:
                json.loads(text)
            except ValueError as error:
                raise TickflagError(f"environment variable {variable}: must be JSON: {error}") from None


def _variables() -> dict[str, bool]:
    """The variables that set something; True where the value is JSON: a list, or a whole block."""
    known = {}
    for name, field in Settings.model_fields.items():
        block = field.annotation
        known[_variable(name)] = block is not str
        for key, inner in getattr(block, "model_fields", {}).items():
            known[_variable(name, key)] = get_origin(inner.annotation) is list
    return known


def _variable(*key: str) -> str:
    return PREFIX + "__".join(key).upper()


def origin(key: tuple[str, ...]) -> str:
    """Where the value of the setting `key`, as ("feed", "source"), comes from; nothing for a default."""
    names = {name.upper(): name for name in os.environ}
    for depth in range(len(key), 0, -1):  # the value itself, or as JSON what it is a part of
        name = names.get(_variable(*key[:depth]))
        if name is not None and (depth == len(key) or _holds(_json(os.environ[name]), key[depth:])):
            return f"environment variable {name}"
    return ", ".join(str(path) for path in _files() if _holds(_parsed(path), key))


def _origin(key: tuple[str, ...], arguments: dict[str, Any]) -> str:
    """The same in brackets, with `arguments` before all others. A fault may lie within a value, which is no key."""
    for depth in range(len(key), 0, -1):
        where = "argument" if _holds(arguments, key[:depth]) else origin(key[:depth])
        if where:
            return f" ({where})"
    return ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # a text as it stands
        return text


def _holds(tree: Any, key: tuple[str, ...]) -> bool:
    """The nested dict has the key."""
    for part in key:
        if not isinstance(tree, dict) or part not in tree:
            return False
        tree = tree[part]
    return True
