"""The group: commands are imported when they are used, mistakes are one line, exit codes are fixed."""

import errno
import os
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import zmq
from click.testing import CliRunner

from tickflag.common.errors import NO_DESCRIPTORS, NO_MEMORY, NO_THREADS, AlreadyRunning, SegmentError, TickflagError
from tickflag.services.cli import group
from tickflag.services.cli.group import COMMANDS, CommandEntry, LazyGroup, tickflag

from .conftest import Run

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("numba", "numpy", "pydantic", "rich", "zmq", "honcho", "multiprocessing")


def test_help_imports_nothing_heavy() -> None:
    """`tickflag --help` stays quick: it imports no command."""
    code = f"""
import sys
from tickflag.services.cli.group import tickflag
tickflag(["--help"], standalone_mode=False)
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # which imports more
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert found.stderr == "[]\n"
    assert all(entry.help in found.stdout for entry in COMMANDS.values())


@pytest.mark.parametrize("command", ["status", "traders", "signals", "segment", "doctor", "logs", "start"])
def test_numba_is_imported_by_those_who_need_it_only(command: str) -> None:
    """Commands that read no rows start without the compiler."""
    code = f"import sys, tickflag.services.cli.{COMMANDS[command].module}; print('numba' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert found.stdout == "False\n"


def test_every_command_is_where_the_table_says(run: Run) -> None:
    """Each has its own help."""
    for name in tickflag.list_commands(click.Context(tickflag)):
        result = run(name, "--help")
        assert result.exit_code == 0
        assert f"tickflag {name}" in result.stdout


def test_a_command_whose_module_is_missing_is_not_listed(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """One missing module does not affect other commands."""
    monkeypatch.setitem(COMMANDS, "not-there", CommandEntry("engine.not_there", "Something else."))
    assert "not-there" not in run("--help").stdout
    assert run("not-there").exit_code == 2
    assert run("status", "--help").exit_code == 0


def test_wrong_usage_is_exit_code_2(run: Run) -> None:
    """The command, option or folder is unknown."""
    for arguments in (("nothing",), ("status", "--nothing"), ("matches",), ("--config", "/no/such/folder", "status")):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "Usage: " in result.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [(TickflagError("set it"), 1), (SegmentError("set it"), 1), (AlreadyRunning("set it"), 75)],
)
def test_a_mistake_is_one_line(error: Exception, status: int) -> None:
    """There is no traceback, and the exit code tells the kind of mistake."""

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


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the output cannot be written: No space left on device"),
        (OSError(errno.EMFILE, "Too many open files"), NO_DESCRIPTORS),
        (zmq.ZMQError(errno.EMFILE), NO_DESCRIPTORS),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", b"/x"), "/x: No such file or directory"),
        (OSError("strange"), "strange"),
        (MemoryError(), NO_MEMORY),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), NO_MEMORY),
        (ImportError("libarrow.so: failed to map segment from shared object"), NO_MEMORY),
        (RuntimeError("can't start new thread"), NO_THREADS),
    ],
)
def test_what_the_machine_refuses_is_one_line(error: BaseException, words: str) -> None:
    """A full disk, too few descriptors or too little memory are no bugs."""

    @click.group(cls=LazyGroup)
    def main() -> None:
        raise error

    result = CliRunner().invoke(main, ["status"])
    assert (result.exit_code, result.stderr) == (1, f"tickflag: {words}\n")


def test_too_little_memory_is_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a library fails in its own way. No limit, and one that is large enough, are fine."""

    @click.group(cls=LazyGroup)
    def main() -> None:
        click.get_current_context().exit(0)

    for limit, code in ((resource.RLIM_INFINITY, 0), (2 << 30, 0), (200 << 20, 1)):
        monkeypatch.setattr(resource, "getrlimit", lambda _what, limit=limit: (limit, limit))
        result = CliRunner().invoke(main, ["status"])
        assert result.exit_code == code
    assert result.stderr == (
        "tickflag: this process may use only 200 MB of addresses (`ulimit -v`): tickflag needs 1024\n"
    )


def test_our_own_bugs_come_through() -> None:
    """Anything else keeps its traceback."""

    @click.group(cls=LazyGroup)
    def main() -> None:
        raise RuntimeError("a bug")

    assert isinstance(CliRunner().invoke(main, ["status"]).exception, RuntimeError)


def test_global_options_reach_settings_and_children(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--instance` and `--config` become environment variables for everything that follows."""
    monkeypatch.setenv("TICKFLAG_INSTANCE", "before")
    monkeypatch.setenv("TICKFLAG_CONFIG", "before")
    result = run("--instance", "second", "--config", str(tmp_path), "show-config")
    assert 'instance = "second"' in result.stdout
    assert os.environ["TICKFLAG_CONFIG"] == str(tmp_path)


def test_version(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed version is shown, or that there is none."""
    monkeypatch.setattr("importlib.metadata.version", lambda _name: "1.2.3")
    assert run("--version").stdout == "tickflag 1.2.3\n"


def test_the_entry_point_is_the_one_declared() -> None:
    """pyproject.toml names our `main`."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["tickflag"] == "tickflag.services.cli.__main__:main"
    assert Path(group.__file__).resolve().parent == ROOT / "services" / "cli"
