"""Settings: all blocks, from TOML files, environment and arguments; the later source wins. Unknown keys are refused.

The files are all `*.toml` of one folder: `TICKFLAG_CONFIG`, or `configs` below the current folder. An environment
variable `TICKFLAG_A__B` sets key `b` of block `a`; `docs/settings.md` lists all of them. The file `traders.toml` holds
the block `traders` only, so its tables are named after the traders.
"""

import json
import os
import tomllib
from pathlib import Path
from typing import Any, get_origin

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tickflag.common.errors import TickflagError
from tickflag.common.flags.catalog import FlagName
from tickflag.common.runtime import JOURNAL, Runtime, state_root
from tickflag.common.segment.segment import interval_seconds
from tickflag.common.settings_schema.collector import CollectorBlock, RecoveryBlock, RemoteBlock
from tickflag.common.settings_schema.dashboard import DashboardBlock
from tickflag.common.settings_schema.engine import LogBlock, RuntimeBlock, SegmentBlock
from tickflag.common.settings_schema.feed import FeedBlock, ReplayBlock, SyntheticBlock
from tickflag.common.settings_schema.trader import AuditBlock, TraderBlock, TraderName, TraderTable

PREFIX = "TICKFLAG_"
# Our environment variables that are not settings.
NOT_SETTINGS = {"TICKFLAG_CONFIG", "TICKFLAG_LIFELINE", "TICKFLAG_TEST_DATA"}

TRADERS_FILE = "traders.toml"


class Settings(BaseSettings):
    """All blocks. Make it with `load`, which reads the files and turns every fault into a TickflagError."""

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
    dashboard: DashboardBlock = DashboardBlock()  # type: ignore[call-arg] # as above

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
        """The instance's runtime folder.

        Raises TickflagError where another user could have a hand in it, or where its path is too long for sockets.
        """
        runtime = Runtime(self.runtime.root, self.instance)
        runtime.check()
        runtime.check_sockets()
        return runtime

    def state_folder(self) -> Path:
        """The folder of files that outlive a reboot; the runtime folder where `runtime.root` is set."""
        state = None if "root" in self.runtime.model_fields_set else state_root()
        return self.runtime_folder().folder if state is None else state / self.instance

    def journal_path(self) -> Path:
        """The journal's file."""
        return Path(self.collector.journal) if self.collector.journal else self.state_folder() / JOURNAL

    def flags_path(self) -> Path:
        """The file of the feature flags, beside the journal."""
        return self.journal_path().with_suffix(".flags.json")

    def keys_folder(self) -> Path:
        """The folder of those keys that no setting names."""
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

    def token_path(self) -> Path:
        """The file of the dashboard's token."""
        return Path(self.dashboard.token_file) if self.dashboard.token_file else self.state_folder() / "dashboard.token"

    @property
    def intervals_s(self) -> tuple[int, ...]:
        return tuple(interval_seconds(interval) for interval in self.segment.intervals)


def config_folder() -> Path:
    """The folder of the settings files. Raises TickflagError where `TICKFLAG_CONFIG` names no folder."""
    named = os.environ.get("TICKFLAG_CONFIG")
    if named and not Path(named).is_dir():
        raise TickflagError(f"environment variable TICKFLAG_CONFIG: no such folder: {named}")
    return Path(named or "configs")


def load(**arguments: Any) -> Settings:
    """The resolved settings. `arguments`, blocks or parts of them as `feed={"source": "replay"}`, override all others.

    Raises TickflagError naming each key at fault and its origin.
    """
    _check_variables()
    try:
        return Settings(**arguments)
    except ValidationError as error:
        lines = []
        for fault in error.errors(include_url=False):
            key = tuple(str(part) for part in fault["loc"] if part != "[key]")  # `[key]`: the key itself is at fault
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
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return {"traders": content} if path.name == TRADERS_FILE else content
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise TickflagError(f"{path}: {error}") from None


def _check_variables() -> None:
    """Refuse variables that pydantic-settings would ignore, or for which it would name the block only."""
    known = _variables()
    for variable, text in os.environ.items():
        name = variable.upper()
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        if name.startswith((f"{_variable('traders')}__", f"{_variable('flags')}__")):
            continue  # their keys are names, which are checked later
        if name not in known:
            blocks = ", ".join(Settings.model_fields)
            raise TickflagError(f"environment variable {variable}: no such setting (blocks: {blocks})")
        if known[name]:
            try:
                json.loads(text)
            except ValueError as error:
                raise TickflagError(f"environment variable {variable}: must be JSON: {error}") from None


def _variables() -> dict[str, bool]:
    """All variables that set something -> True where the value is JSON: a list, or a whole block."""
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
    """Where the value of the setting `key`, as ("feed", "source"), comes from; empty for a default."""
    names = {name.upper(): name for name in os.environ}
    for depth in range(len(key), 0, -1):  # a variable holds the value itself, or JSON that contains it
        name = names.get(_variable(*key[:depth]))
        if name is not None and (depth == len(key) or _holds(_json(os.environ[name]), key[depth:])):
            return f"environment variable {name}"
    return ", ".join(str(path) for path in _files() if _holds(_parsed(path), key))


def _origin(key: tuple[str, ...], arguments: dict[str, Any]) -> str:
    """The origin of a key at fault, in brackets; `arguments` come first. The key may name a part inside a value, which
    has no origin of its own."""
    for depth in range(len(key), 0, -1):
        where = "argument" if _holds(arguments, key[:depth]) else origin(key[:depth])
        if where:
            return f" ({where})"
    return ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # a plain text
        return text


def _holds(tree: Any, key: tuple[str, ...]) -> bool:
    """Whether the nested dict has the key."""
    for part in key:
        if not isinstance(tree, dict) or part not in tree:
            return False
        tree = tree[part]
    return True
