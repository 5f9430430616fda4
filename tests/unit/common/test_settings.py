import inspect
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from tickflag.common.errors import TickflagError
from tickflag.common.runtime import default_root
from tickflag.common.settings import PREFIX, Settings, _FilesSource, config_folder, load, origin
from tickflag.common.settings_schema.feed import FeedBlock
from tickflag.common.settings_schema.trader import TraderTable


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty configuration folder, and no variable of ours in the environment."""
    for variable in list(os.environ):
        if variable.upper().startswith(PREFIX):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("TICKFLAG_CONFIG", str(tmp_path))
    return tmp_path


def _fault(**arguments: Any) -> str:
    with pytest.raises(TickflagError) as caught:
        load(**arguments)
    return str(caught.value)


def test_without_anything_set_the_defaults_hold() -> None:
    """Every setting has a default, and the defaults are within their own limits."""
    settings = load()
    assert settings == Settings()
    assert (settings.segment.capacity, settings.feed.rate_limit_ms) == (1024, 100.0)
    assert settings.intervals_s == (60, 300, 900, 3600)
    assert settings.runtime.root == default_root()
    assert settings.runtime_folder().folder == default_root() / "main"


def test_arguments_win_over_environment_over_files_over_defaults(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source overrides the keys of the sources below it, and leaves the other keys of a block alone."""
    (files / "feed.toml").write_text("[feed]\nsource = 'file'\nrate_limit_ms = 1\nheartbeat_ms = 11\n")
    monkeypatch.setenv("TICKFLAG_FEED__RATE_LIMIT_MS", "2")
    monkeypatch.setenv("TICKFLAG_FEED__HEARTBEAT_MS", "12")
    feed = load(feed={"rate_limit_ms": 3}).feed
    assert (feed.rate_limit_ms, feed.heartbeat_ms, feed.source) == (3, 12, "file")
    assert feed.watermark_ms == FeedBlock().watermark_ms


def test_all_files_of_the_folder_count(files: Path) -> None:
    """A block may be spread over files; files of other kinds are not read."""
    (files / "a.toml").write_text("instance = 'second'\n[feed]\nsource = 'replay'\n")
    (files / "b.toml").write_text("[feed]\nheartbeat_ms = 50\n")
    (files / "notes.txt").write_text("[feed]\nnope = 1\n")
    settings = load()
    assert (settings.instance, settings.feed.source, settings.feed.heartbeat_ms) == ("second", "replay", 50)


def test_the_folder_is_configs_unless_chosen(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`TICKFLAG_CONFIG` names the folder; else it is `configs` in the current one."""
    assert config_folder() == files
    monkeypatch.delenv("TICKFLAG_CONFIG")
    assert config_folder() == Path("configs")


@pytest.mark.parametrize("content", ["[feed]\nnope = 1\n", "[nope]\nkey = 1\n", "nope = 1\n"])
def test_an_unknown_key_of_a_file_is_named(files: Path, content: str) -> None:
    """A misspelt block or key is refused with its name and the file."""
    (files / "a.toml").write_text(content)
    fault = _fault()
    assert "nope` (" + str(files / "a.toml") in fault
    assert "no such setting" in fault


@pytest.mark.parametrize(
    "variable",
    ["TICKFLAG_NOPE", "TICKFLAG_FEED__NOPE", "TICKFLAG_INSTANCE__X", "TICKFLAG_FEED__SOURCE__X", "tickflag_feed__nope"],
)
def test_an_unknown_variable_is_named(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable is refused with its name, in either case and at any depth."""
    monkeypatch.setenv(variable, "1")
    assert f"environment variable {variable}: no such setting" in _fault()


def test_variables_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables without our prefix, and those of ours that are no settings, are accepted."""
    monkeypatch.setenv("OTHER_FEED__NOPE", "1")
    monkeypatch.setenv("TICKFLAG_TEST_DATA", "/nowhere")
    assert load() == Settings()


@pytest.mark.parametrize("arguments", [{"nope": 1}, {"feed": {"nope": 1}}])
def test_an_unknown_argument_is_named(arguments: dict[str, Any]) -> None:
    """An argument that sets nothing is refused with its name."""
    assert "nope` (argument): no such setting" in _fault(**arguments)


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        ("[feed]\nsource = 'a'\n", "[feed]\nheartbeat_ms = 50\nsource = 'a'\n", "feed.source"),
        ("instance = 'a'\n", "instance = 'a'\n", "instance"),
        ("feed = 3\n", "[feed]\nsource = 'a'\n", "feed"),
        ("[feed]\nsource = 'a'\n", "feed = 3\n", "feed"),
    ],
)
def test_a_key_in_two_files_is_refused(files: Path, first: str, second: str, named: str) -> None:
    """Nobody has to guess which file counts: the error names the key and the second file, even where both values are
    equal."""
    (files / "a.toml").write_text(first)
    (files / "b.toml").write_text(second)
    assert _fault() == f"{files / 'b.toml'}: `{named}` is also set in another file"


@pytest.mark.parametrize("content", [b"[feed\n", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_a_file_that_cannot_be_read_is_named(files: Path, content: bytes) -> None:
    """A file that is no TOML is refused with its path."""
    (files / "a.toml").write_bytes(content)
    assert _fault().startswith(f"{files / 'a.toml'}: ")


def test_a_folder_in_a_files_place_is_named(files: Path) -> None:
    """A path that cannot be opened as a file is refused too."""
    (files / "a.toml").mkdir()
    assert _fault().startswith(f"{files / 'a.toml'}: ")


def test_a_bad_value_of_a_file_is_named(files: Path) -> None:
    """The error names the key and the file that set it."""
    (files / "a.toml").write_text("[segment]\ncapacity = 0\n")
    (files / "b.toml").write_text("[feed]\nsource = 'a'\n")
    assert _fault().startswith(f"setting `segment.capacity` ({files / 'a.toml'}): ")


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "", "fast"])
def test_a_bad_value_of_a_variable_is_named(value: str, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the key and the variable, also where a file sets the same key."""
    (files / "a.toml").write_text("[feed]\nrate_limit_ms = 5\n")
    monkeypatch.setenv("TICKFLAG_FEED__RATE_LIMIT_MS", value)
    assert _fault().startswith("setting `feed.rate_limit_ms` (environment variable TICKFLAG_FEED__RATE_LIMIT_MS): ")


def test_a_bad_argument_is_not_blamed_on_others(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the source that counts most."""
    (files / "a.toml").write_text("[feed]\nrate_limit_ms = 5\n")
    monkeypatch.setenv("TICKFLAG_FEED__RATE_LIMIT_MS", "6")
    assert _fault(feed={"rate_limit_ms": -1}).startswith("setting `feed.rate_limit_ms` (argument): ")


def test_all_faults_are_told_at_once() -> None:
    """Each fault has its line."""
    assert len(_fault(feed={"rate_limit_ms": -1, "heartbeat_ms": 0}, nope=1).splitlines()) == 3


@pytest.mark.parametrize("variable", ["TICKFLAG_SEGMENT__INTERVALS", "TICKFLAG_SEGMENT"])
def test_a_list_or_block_in_a_variable_is_json(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is no JSON is refused with the variable's name."""
    monkeypatch.setenv(variable, "1m,5m")
    assert _fault().startswith(f"environment variable {variable}: must be JSON: ")


def test_json_in_variables_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable may hold a list, or a whole block beside a key of it; the key counts more."""
    monkeypatch.setenv("TICKFLAG_SEGMENT__INTERVALS", '["1h", "1m"]')
    monkeypatch.setenv("TICKFLAG_FEED", '{"source": "replay", "rate_limit_ms": 1}')
    monkeypatch.setenv("TICKFLAG_FEED__RATE_LIMIT_MS", "2")
    settings = load()
    assert settings.intervals_s == (60, 3600)
    assert (settings.feed.source, settings.feed.rate_limit_ms) == ("replay", 2)


def test_a_bad_value_in_a_blocks_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable of the block is the origin of its keys."""
    monkeypatch.setenv("TICKFLAG_FEED", '{"rate_limit_ms": -1}')
    assert _fault().startswith("setting `feed.rate_limit_ms` (environment variable TICKFLAG_FEED): ")


@pytest.mark.parametrize(
    ("intervals", "reason"),
    [
        (["1m", "60s"], "named twice"),
        (["5 minutes"], "'5 minutes' is no interval"),
        ([], "at least 1 item"),
        ([f"{n}m" for n in range(1, 10)], "at most 8 items"),
    ],
)
def test_bad_intervals_are_named(intervals: list[str], reason: str) -> None:
    """There are 1 to 8 intervals, all different."""
    fault = _fault(segment={"intervals": intervals})
    assert fault.startswith("setting `segment.intervals` (argument): ")
    assert reason in fault


def test_a_bad_element_of_a_list_is_named(files: Path) -> None:
    """The index in the list is part of the key."""
    (files / "a.toml").write_text("[segment]\nintervals = ['1m', 5]\n")
    assert _fault().startswith(f"setting `segment.intervals.1` ({files / 'a.toml'}): ")


class _Strict(Settings):
    must: int


def test_a_default_has_no_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of a default names the key alone."""
    monkeypatch.setattr("tickflag.common.settings.Settings", _Strict)
    assert _fault() == "setting `must`: Field required"


def test_settings_do_not_change() -> None:
    """Once loaded, neither a block nor a key can be replaced."""
    settings = load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.instance = "other"
    with pytest.raises(ValidationError, match="frozen"):
        settings.feed.source = "other"


def test_where_the_journal_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies in the state folder, by instance; below a root that is set, even to the default; or where its own setting
    says."""
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert load(instance="two").journal_path() == Path("/state/tickflag/two/journal.sqlite")
    monkeypatch.setenv("TICKFLAG_RUNTIME__ROOT", str(default_root()))
    assert load().journal_path() == default_root() / "main" / "journal.sqlite"
    assert load(collector={"journal": "here.sqlite"}).journal_path() == Path("here.sqlite")


def test_without_a_state_folder_the_journal_lies_in_the_runtime_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home has no state folder."""
    monkeypatch.setattr("tickflag.common.settings.state_root", lambda: None)
    assert load().journal_path() == default_root() / "main" / "journal.sqlite"


def test_values_of_files_come_as_a_whole() -> None:
    """The source of files gives all fields at once."""
    with pytest.raises(NotImplementedError):
        _FilesSource(Settings).get_field_value(None, "feed")


def test_every_block_is_documented() -> None:
    """Each key of a block has its docstring in the source, which `show-config` and the docs quote."""
    for block in Settings.model_fields.values():
        if isinstance(block.annotation, type) and issubclass(block.annotation, BaseModel):
            source = Path(inspect.getfile(block.annotation)).read_text()
            for key in block.annotation.model_fields:
                _, _, rest = source.partition(f"class {block.annotation.__name__}(")
                following = rest.split(f"    {key}: ", 1)[1].split("\n", 2)[1]
                assert following.startswith('    """'), f"{block.annotation.__name__}.{key}"


def test_a_named_folder_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A `TICKFLAG_CONFIG` that names no folder is an error and does not mean the defaults."""
    monkeypatch.setenv("TICKFLAG_CONFIG", str(tmp_path / "missing"))
    with pytest.raises(TickflagError, match=r"TICKFLAG_CONFIG: no such folder: .*missing"):
        load()


class TestTraderInstances:
    """Instances of traders: tables of `traders.toml`, and variables."""

    def test_tables_are_instances(self, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The table names the instance; a variable sets one value, or adds an instance."""
        (files / "traders.toml").write_text("[fast]\nsource = 'rsi'\n[fast.settings]\nperiod = 7\nlow = 20\n['a.b']\n")
        monkeypatch.setenv("TICKFLAG_TRADERS__FAST__SETTINGS__PERIOD", "9")
        monkeypatch.setenv("TICKFLAG_TRADERS__FAST__SETTINGS__MODE", "wide")
        monkeypatch.setenv("TICKFLAG_TRADERS__SLOW", '{"source": "rsi", "enabled": false}')
        traders = load().traders
        assert traders["fast"] == TraderTable(source="rsi", settings={"period": "9", "low": 20, "mode": "wide"})
        assert traders["slow"] == TraderTable(source="rsi", enabled=False)
        assert traders["a.b"] == TraderTable()

    def test_origins(self, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The origin of a value is the variable or file that holds it, at whatever depth."""
        path = files / "traders.toml"
        path.write_text("[fast.settings]\nperiod = 7\nlow = 20\n")
        monkeypatch.setenv("TICKFLAG_TRADERS__FAST__SETTINGS__PERIOD", "9")
        monkeypatch.setenv("TICKFLAG_TRADERS__FAST__SOURCE", "rsi")
        monkeypatch.setenv("TICKFLAG_TRADERS__SLOW", '{"source": "rsi"}')
        assert origin(("traders", "fast", "settings", "period")).endswith("__PERIOD")
        assert origin(("traders", "fast", "settings", "low")) == str(path)
        assert origin(("traders", "slow", "source")) == "environment variable TICKFLAG_TRADERS__SLOW"
        assert origin(("traders", "fast", "source", "x")) == ""

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            ("[fast]\nsorce = 'rsi'\n", "setting `traders.fast.sorce` ({path}): no such setting"),
            (
                "[fast]\nenabled = 'perhaps'\n",
                "setting `traders.fast.enabled` ({path}): Input should be a valid boolean",
            ),
            ("[Fast]\n", "setting `traders.Fast` ({path}): String should match pattern"),
            ("fast = 3\n", "setting `traders.fast` ({path}): Input should be a valid dictionary"),
            ("[fast]\nsettings = 3\n", "setting `traders.fast.settings` ({path}): Input should be a valid dictionary"),
        ],
    )
    def test_a_bad_table_is_named(self, files: Path, content: str, fault: str) -> None:
        """The error has key, file and reason."""
        (files / "traders.toml").write_text(content)
        assert _fault().startswith(fault.format(path=files / "traders.toml"))

    def test_a_bad_variable_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A misspelt key and a table that is no JSON are named."""
        monkeypatch.setenv("TICKFLAG_TRADERS__FAST__SORCE", "rsi")
        assert _fault() == (
            "setting `traders.fast.sorce` (environment variable TICKFLAG_TRADERS__FAST__SORCE): no such setting"
        )
        monkeypatch.delenv("TICKFLAG_TRADERS__FAST__SORCE")
        monkeypatch.setenv("TICKFLAG_TRADERS__FAST", "rsi")
        assert _fault().startswith("setting `traders.fast` (environment variable TICKFLAG_TRADERS__FAST): ")

    def test_an_instance_in_two_files_is_refused(self, files: Path) -> None:
        """The block may be in another file too, but each table in one only."""
        (files / "engine.toml").write_text("[traders.fast]\n")
        (files / "traders.toml").write_text("[slow]\n")
        assert load().traders.keys() == {"fast", "slow"}
        (files / "traders.toml").write_text("[fast]\n")
        assert _fault() == f"{files / 'traders.toml'}: `traders.fast` is also set in another file"


class TestFlags:
    """Feature flags set from the start."""

    def test_a_flag_is_set_by_file_and_variable(self, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each is set by itself and has its origin; the values are those of a boolean."""
        (files / "engine.toml").write_text("[flags]\naudit = false\nbatch_mode = true\n")
        monkeypatch.setenv("TICKFLAG_FLAGS__PER_SYMBOL_TRACKING", "false")
        monkeypatch.setenv("TICKFLAG_FLAGS__BATCH_MODE", "off")
        assert load().flags == {"audit": False, "batch_mode": False, "per_symbol_tracking": False}
        assert origin(("flags", "audit")) == str(files / "engine.toml")
        assert origin(("flags", "batch_mode")) == "environment variable TICKFLAG_FLAGS__BATCH_MODE"

    def test_a_bad_value_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error has key, variable and reason; so too for a name that no feature flag can have."""
        monkeypatch.setenv("TICKFLAG_FLAGS__AUDIT", "maybe")
        assert _fault().startswith("setting `flags.audit` (environment variable TICKFLAG_FLAGS__AUDIT): Input should")
        monkeypatch.delenv("TICKFLAG_FLAGS__AUDIT")
        monkeypatch.setenv("TICKFLAG_FLAGS__A-B", "true")
        assert _fault().startswith(
            "setting `flags.a-b` (environment variable TICKFLAG_FLAGS__A-B): String should match"
        )


def test_the_flags_lie_beside_the_journal(tmp_path: Path) -> None:
    """Each journal has a file of its own."""
    settings = load(collector={"journal": str(tmp_path / "one.sqlite")})
    assert settings.flags_path() == tmp_path / "one.flags.json"


@pytest.mark.parametrize(
    "address", ["", "tcp://0.0.0.0:7711", "tcp://*:*", "tcp://eth0:1", "tcp://[::]:65535", "tcp://10.0.0.1:80"]
)
def test_addresses_for_other_machines(address: str) -> None:
    """An address of this machine with a port, or an empty one, is accepted."""
    assert load(remote={"commands": address, "signals": address}).remote.commands == address


@pytest.mark.parametrize(
    "address", ["7711", "0.0.0.0:7711", "ipc:///tmp/x", "tcp://x", "tcp://x:", "tcp://x:0", "tcp://x:65536", "tcp://:1"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """The error names the key and has an example; only tcp has keys."""
    words = "must be an address of this machine with a port, as `tcp://0.0.0.0:7711`"
    assert _fault(remote={"commands": address}) == f"setting `remote.commands` (argument): {words}"
    assert "`remote.signals`" in _fault(remote={"signals": address})
    assert "`remote.connect`" in _fault(remote={"connect": address})


def test_one_connects_to_one_machine() -> None:
    """The address has a fixed port."""
    assert load(remote={"connect": "tcp://engine.example.org:7711"}).remote.connect == "tcp://engine.example.org:7711"
    for address in ("tcp://*:7711", "tcp://engine:*"):
        assert "must be the address of one machine" in _fault(remote={"connect": address})


def test_keys_lie_beside_the_journal_unless_named(tmp_path: Path) -> None:
    """Each key file does; the folder outlives a reboot."""
    state = tmp_path / "main"
    settings = load(runtime={"root": tmp_path})
    assert settings.keys_folder() == state / "keys"
    assert settings.server_key_path() == state / "keys" / "server.key_secret"
    assert settings.connect_key_path() == state / "keys" / "server.key"
    assert settings.allowed_path() == state / "keys" / "allowed"
    named = load(remote={"server_key": "/a", "connect_key": "/b", "allowed": "/c"})
    assert (named.server_key_path(), named.connect_key_path(), named.allowed_path()) == (
        Path("/a"),
        Path("/b"),
        Path("/c"),
    )


def test_where_the_dashboards_token_lies(tmp_path: Path) -> None:
    """In the state folder, or where the setting says."""
    settings = load(runtime={"root": str(tmp_path)})
    assert settings.token_path() == tmp_path / "main" / "dashboard.token"
    assert load(dashboard={"token_file": "/etc/token"}).token_path() == Path("/etc/token")
