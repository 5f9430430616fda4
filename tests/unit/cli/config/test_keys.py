"""`tickflag keys`, and the other commands where `remote.connect` names another machine."""

import json
import stat
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Answers, Run, trader_line
from tickflag.common.runtime import Runtime
from tickflag.common.wire.keys import load_pair, load_public

pytestmark = pytest.mark.usefixtures("runtime")


@pytest.fixture
def keys(runtime: Runtime) -> Path:
    return runtime.folder / "keys"


def test_the_engines_key(run: Run, keys: Path) -> None:
    """The key is made once, for its owner only; the command says what to copy and what to do next."""
    result = run("keys", "new-server")
    assert result.exit_code == 0
    assert f"secret key  {keys / 'server.key_secret'}: it stays here\n" in result.output
    assert f"public key  {keys / 'server.key'}: copy it" in result.output
    assert "tickflag keys allow FILE" in result.output
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()} == {0o600}
    again = run("keys", "new-server")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "already: move it away to make another one" in again.stderr


def test_the_engines_key_elsewhere(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is where the setting names it; an existing folder keeps its mode."""
    tmp_path.chmod(0o755)
    monkeypatch.setenv("TICKFLAG_REMOTE__SERVER_KEY", str(tmp_path / "main.key_secret"))
    assert run("keys", "new-server").exit_code == 0
    assert load_pair(tmp_path / "main.key_secret", "x", "").public == load_public(tmp_path / "main.key")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    monkeypatch.setenv("TICKFLAG_REMOTE__SERVER_KEY", str(tmp_path / "main"))
    assert "must end in `.key_secret`" in run("keys", "new-server").stderr
    (tmp_path / "file").touch()
    monkeypatch.setenv("TICKFLAG_REMOTE__SERVER_KEY", str(tmp_path / "file" / "main.key_secret"))
    assert "Not a directory" in run("keys", "new-server").stderr or "File exists" in run("keys", "new-server").stderr


def test_an_operators_key(run: Run, keys: Path) -> None:
    """The command prints the settings for the operator's machine, ready to be pasted."""
    result = run("keys", "new-client", "ann")
    assert result.exit_code == 0
    assert "tickflag keys allow ann.key" in result.output
    assert f"Copy `server.key` from there to {keys / 'server.key'}" in result.output
    assert result.output.endswith(f'[remote]\nconnect = "tcp://HOST:7711"\nclient_key = "{keys / "ann.key_secret"}"\n')
    assert load_pair(keys / "ann.key_secret", "x", "").public == load_public(keys / "ann.key")


@pytest.mark.parametrize("name", ["server", "../x", "", "a b", ".x", "x" * 65])
def test_names_are_checked(run: Run, name: str) -> None:
    """Names become file names."""
    result = run("keys", "new-client", name)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"tickflag: key {name!r}: ")


def test_allow_list_revoke(run: Run, keys: Path) -> None:
    """A key is allowed under its file's name, once; the list shows it; it can be revoked."""
    assert run("keys", "list").output == "nobody is allowed\n"
    run("keys", "new-client", "ann")
    assert run("keys", "allow", str(keys / "ann.key")).output == "ann is allowed\n"
    assert run("keys", "allow", str(keys / "ann.key")).output == "ann is allowed already\n"
    public = load_public(keys / "ann.key").decode()
    assert public in run("keys", "list").output
    listed = json.loads(run("keys", "list", "--json").output)
    assert listed == {"folder": str(keys / "allowed"), "allowed": [{"name": "ann", "key": public}], "trouble": []}
    allowed = keys / "allowed"
    assert (stat.S_IMODE(allowed.stat().st_mode), stat.S_IMODE((allowed / "ann.key").stat().st_mode)) == (0o700, 0o600)
    assert run("keys", "revoke", "ann").output == "ann is allowed no more\n"
    assert list(allowed.iterdir()) == []
    assert run("keys", "revoke", "ann").stderr == "tickflag: no key 'ann' is allowed: allowed are none\n"


def test_what_is_not_allowed(run: Run, keys: Path, tmp_path: Path) -> None:
    """Refused are a secret key, another key under an allowed name, and what is no key; nothing is copied."""
    run("keys", "new-client", "ann")
    run("keys", "new-client", "bob")
    run("keys", "allow", str(keys / "ann.key"))
    assert "holds a secret key" in run("keys", "allow", str(keys / "bob.key_secret")).stderr
    (tmp_path / "ann.key").write_bytes((keys / "bob.key").read_bytes())
    assert "`tickflag keys revoke ann` first" in run("keys", "allow", str(tmp_path / "ann.key")).stderr
    (tmp_path / "x.key").write_text("?")
    assert "holds no public key" in run("keys", "allow", str(tmp_path / "x.key")).stderr
    assert [path.name for path in (keys / "allowed").iterdir()] == ["ann.key"]
    (keys / "allowed" / "bad.key").write_text("?")
    assert "warning: left out: " in run("keys", "list").stderr


# --- with `remote.connect`


@pytest.fixture
def elsewhere(run: Run, keys: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The settings and keys of an operator."""
    run("keys", "new-server")
    run("keys", "new-client", "ann")
    monkeypatch.setenv("TICKFLAG_REMOTE__CONNECT", "tcp://127.0.0.1:7711")
    monkeypatch.setenv("TICKFLAG_REMOTE__CLIENT_KEY", str(keys / "ann.key_secret"))
    return "tcp://127.0.0.1:7711"


@pytest.mark.parametrize(
    "line",
    [
        "start", "trader start x", "trader stop x", "trader restart x", "trader enable x", "trader disable x", "logs x",
        "segment ls", "segment dump", "segment clean", "segment swap", "segment debug on", "synthetic burst 1",
    ],
)  # fmt: skip
def test_commands_for_the_engines_own_machine(run: Run, elsewhere: str, line: str) -> None:
    """They say so, and where the setting comes from; nothing is done on this machine."""
    result = run(*line.split())
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"tickflag: `tickflag {' '.join(line.split()[:2])}".rstrip("x ").rstrip())
    assert "works on the engine's own machine only" in result.stderr
    assert f"(environment variable TICKFLAG_REMOTE__CONNECT) names {elsewhere}" in result.stderr


@pytest.mark.parametrize("line", ["status", "traders", "matches x", "signals", "signals --follow", "flags list"])
@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("ann.key_secret", ["`remote.client_key`", "new-client"]),
        ("server.key", ["`remote.connect_key`", "copy the file"]),
    ],
)
def test_a_key_that_is_missing_is_named(
    run: Run, elsewhere: str, keys: Path, line: str, missing: str, words: list[str]
) -> None:
    """The error comes before anything is sent, and says where the setting comes from."""
    (keys / missing).unlink()
    result = run(*line.split())
    assert (result.exit_code, result.stdout) == (1, "")
    assert all(word in result.stderr for word in words)
    assert "\n" not in result.stderr.rstrip()


def test_a_client_key_that_is_not_set_is_named(run: Run, elsewhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which command makes one."""
    monkeypatch.delenv("TICKFLAG_REMOTE__CLIENT_KEY")
    assert "setting `remote.client_key`: tcp://127.0.0.1:7711 lets nobody in" in run("status").stderr


def test_status_from_elsewhere(run: Run, elsewhere: str, answers: Answers) -> None:
    """Status shows what the collector knows, and says of the rest that it is not known from here."""
    collector = {
        "instance": "paper", "pid": 5, "uptime_s": 1.0, "last_seq": 7, "remote_commands": "tcp://0.0.0.0:7711",
        "remote_signals": "", "remote_keys": ["ann"],
    }  # fmt: skip
    answers["status"] = {"collector": collector, "traders": [trader_line("rsi", matches=3)]}
    text = run("status").output
    assert f"instance   paper at {elsewhere}\n" in text
    assert text.count("not known from here") == 2
    assert "remote     commands tcp://0.0.0.0:7711, for ann\n" in text
    assert "rsi" in text
    document = json.loads(run("status", "--json").output)
    assert document["collector"]["state"] == "running"
    assert document["traders"][0]["matches"] == 3
    collector["remote_keys"] = []
    assert "for nobody: `tickflag keys allow FILE`" in run("status").output


def test_doctor_checks_the_connection(run: Run, elsewhere: str, answers: Answers, keys: Path) -> None:
    """The check leaves this machine's folders alone."""
    answers["control"] = {}
    assert f"the collector at {elsewhere} answers" in run("doctor").output
    (keys / "server.key").unlink()
    result = run("doctor")
    assert result.exit_code == 1
    assert "`remote.connect_key`" in result.output
    assert "heartbeat" not in result.output


def test_signals_that_are_not_published_elsewhere(run: Run, elsewhere: str, answers: Answers) -> None:
    """The error says which setting is missing on the engine's machine."""
    answers["status"] = {"collector": {"remote_signals": ""}}
    assert "set `remote.signals` there, or leave out `--follow`" in run("signals", "--follow").stderr
