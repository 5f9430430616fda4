"""The group: commands come lazily, mistakes are one line, exit codes are fixed."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from common.errors import AlreadyRunning, SegmentError, TickflagError
from services.cli import group
from services.cli.group import COMMANDS, LazyGroup, tickflag

from .conftest import Run

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("numba", "numpy", "pydantic", "rich", "zmq", "honcho", "multiprocessing")


def test_help_imports_nothing_heavy() -> None:
    """`tickflag --help` stays quick: it imports no command."""
    code = f"""
import sys
from services.cli.group import tickflag
tickflag(["--help"], standalone_mode=False)
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert found.stderr == "[]\n"
    assert all(help_text in found.stdout for help_text in COMMANDS.values())


@pytest.mark.parametrize("module", ["status", "traders", "signals", "segment", "doctor", "logs", "start"])
def test_numba_is_imported_by_those_who_need_it_only(module: str) -> None:
    """Commands that read no rows start without the compiler."""
    code = f"import sys, services.cli.{module}; print('numba' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert found.stdout == "False\n"


def test_every_command_is_where_the_table_says(run: Run) -> None:
    """Each has its own help."""
    for name in tickflag.list_commands(click.Context(tickflag)):
        result = run(name, "--help")
        assert result.exit_code == 0
        assert f"tickflag {name}" in result.stdout


def test_a_command_whose_module_is_missing_is_not_listed(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """One missing part takes nothing else with it."""
    monkeypatch.setitem(COMMANDS, "not-there", "Something else.")
    assert "not-there" not in run("--help").stdout
    assert run("not-there").exit_code == 2
    assert run("status", "--help").exit_code == 0


def test_wrong_usage_is_exit_code_2(run: Run) -> None:
    """An unknown command, option or folder."""
    for arguments in (("nothing",), ("status", "--nothing"), ("matches",), ("--config", "/no/such/folder", "status")):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "Usage: " in result.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [(TickflagError("set it"), 1), (SegmentError("set it"), 1), (AlreadyRunning("set it"), 75)],
)
def test_a_mistake_is_one_line(error: Exception, status: int) -> None:
    """No traceback, and the exit code tells the kind."""

    @click.group(cls=LazyGroup)
    def main() -> None:
        raise error

    result = CliRunner().invoke(main, ["status"])
    assert (result.exit_code, result.stdout, result.stderr) == (status, "", "tickflag: set it\n")


def test_a_folder_of_another_user_is_one_line() -> None:
    """The operating system's refusal names the file."""

    @click.group(cls=LazyGroup)
    def main() -> None:
        raise PermissionError(13, "Permission denied", "/some/folder")

    result = CliRunner().invoke(main, ["status"])
    assert (result.exit_code, result.stderr) == (1, "tickflag: /some/folder: Permission denied\n")


def test_our_own_bugs_come_through() -> None:
    """Anything else keeps its traceback."""

    @click.group(cls=LazyGroup)
    def main() -> None:
        raise RuntimeError("a bug")

    assert isinstance(CliRunner().invoke(main, ["status"]).exception, RuntimeError)


def test_global_options_reach_settings_and_children(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--instance` and `--config` are environment variables for all that follows."""
    monkeypatch.setenv("TICKFLAG_INSTANCE", "before")
    monkeypatch.setenv("TICKFLAG_CONFIG", "before")
    result = run("--instance", "second", "--config", str(tmp_path), "show-config")
    assert 'instance = "second"' in result.stdout
    assert os.environ["TICKFLAG_CONFIG"] == str(tmp_path)


def test_version(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed version, or that there is none."""
    monkeypatch.setattr("importlib.metadata.version", lambda _name: "1.2.3")
    assert run("--version").stdout == "tickflag 1.2.3\n"


def test_the_entry_point_is_the_one_declared() -> None:
    """pyproject.toml names our main."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["tickflag"] == "services.cli.__main__:main"
    assert Path(group.__file__).parent == ROOT / "services" / "cli"
