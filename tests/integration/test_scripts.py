"""`scripts/run`, `test` and `bench`: what they say where nothing can be set up, and that arguments are passed on."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.documents.pages import ROOT
from tests.support.processes.commands import run_command
from tests.support.processes.terminal import PseudoTerminal
from tests.support.processes.waiting import allowed_s

TOOLS = ("sh", "dirname", "cmp", "cp", "rm", "tr")
NO_VENV = 'case "$1" in -m) exit 1 ;; esac'
SCRIPTS = pytest.mark.parametrize("script", ["run", "test", "bench"])


class BareMachine:
    """A copy of the scripts, on a machine that has only the programs that a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tools = folder / "tickflag", folder / "bin"
        shutil.copytree(ROOT / "scripts", self.folder / "scripts")
        shutil.copy(ROOT / "pyproject.toml", self.folder)
        self.tools.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.tools / tool).symlink_to(found)

    def put(self, path: Path, body: str) -> None:
        """Write a shell program."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return run_command([self.folder / "scripts" / script, *arguments], "/", {"PATH": str(self.tools), **variables})


@pytest.fixture
def machine(tmp_path: Path) -> BareMachine:
    """A machine without Python and without uv."""
    return BareMachine(tmp_path)


@SCRIPTS
@pytest.mark.parametrize(
    ("program", "body", "words"),
    [
        ("", "", "no Python 3.11 or later found"),
        ("python3", "exit 1", "no Python 3.11 or later found"),
        ("python3", NO_VENV, "python3 has no working venv"),
        ("uv", "exit 2", "uv could not make .venv"),
    ],
    ids=["no Python", "an old Python", "no venv", "uv fails"],
)
def test_where_nothing_can_be_set_up(machine: BareMachine, script: str, program: str, body: str, words: str) -> None:
    """One line says what is missing and what to install; exit code 1, and no half environment stays."""
    if program:
        machine.put(machine.tools / program, body)
    done = machine.run(script)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
    assert not (machine.folder / ".venv").exists()


@SCRIPTS
def test_dependencies_that_cannot_be_installed(machine: BareMachine, script: str) -> None:
    """The script says so, and tries again the next time."""
    machine.put(machine.tools / "python3", "exit 0")
    machine.put(machine.folder / ".venv" / "bin" / "python", NO_VENV)
    for _ in range(2):
        done = machine.run(script)
        assert done.returncode == 1
        assert "could not install the dependencies" in done.stderr


@pytest.mark.parametrize(
    ("script", "program", "first"),
    [("run", "tickflag", "start"), ("test", "python", "-m pytest"), ("bench", "python", "-m tests.bench")],
)
def test_arguments_are_passed_on(machine: BareMachine, script: str, program: str, first: str) -> None:
    """Arguments arrive unchanged, with blanks in them; the environment is made and filled once."""
    python = 'if [ "$1" = -c ]; then exit 0; fi; printf "%s|" "$@"; echo'
    machine.put(machine.folder / ".venv" / "bin" / "python", python)
    machine.put(machine.folder / ".venv" / "bin" / "tickflag", 'printf "%s|" "$@"; echo')
    assert "installing" in machine.run(script, "x").stderr
    done = machine.run(script, "--for", "2 0")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{first} --for".replace(" ", "|") + "|2 0|\n"


@SCRIPTS
def test_each_step_is_said(machine: BareMachine, script: str) -> None:
    """What is done, and how many steps are left; without a terminal as whole lines, on a terminal with dots."""
    machine.put(machine.folder / ".venv" / "bin" / "python", "exit 0")
    machine.put(machine.folder / ".venv" / "bin" / "tickflag", "exit 0")
    said = machine.run(script).stderr.splitlines()
    assert [line.partition(": ")[2].split(":")[0] for line in said] == [
        f"installing into .venv ({'dashboard,data' if script == 'run' else 'test'})",
        "compiling the feed's kernels",
        "compiling the traders' kernels",
        "set up; the next run begins at once",
    ]
    assert [f"step {number} of 3" in line for number, line in zip((1, 2, 3), said, strict=False)] == [True] * 3


def test_on_a_terminal_it_shows_that_it_goes_on(machine: BareMachine) -> None:
    """Dots follow while a step takes long, and end with it; what fails is said as ever."""
    sleep = shutil.which("sleep")
    assert sleep is not None
    (machine.tools / "sleep").symlink_to(sleep)
    goes_on = machine.folder / "goes-on"
    python = f'if [ "$1" = -c ]; then exit 0; fi; while [ ! -e {goes_on} ]; do sleep 0.1; done; exit 1'
    machine.put(machine.folder / ".venv" / "bin" / "python", python)
    with PseudoTerminal() as terminal:
        process = subprocess.Popen(
            [machine.folder / "scripts" / "run"],
            env={"PATH": str(machine.tools)},
            stdin=subprocess.DEVNULL,
            stdout=terminal.file,
            stderr=terminal.file,
            start_new_session=True,
        )
        terminal.wait_for(r"installing into .venv.*\n\.\.")
        goes_on.touch()
        terminal.wait_for("could not install the dependencies")
        assert process.wait(allowed_s(30)) == 1


STATIC = ["-m|ruff|check|.|", "-m|ruff|format|--check|.|", "-m|mypy|"]
QUICK = ["-m|pytest|--numprocesses|logical|tests/unit|tests/property|tests/model|"]
WHOLE = ["-m|pytest|--numprocesses|auto|"]
MEASURED = [
    "-m|coverage|erase|",
    "-m|coverage|run|-m|pytest|--numprocesses|auto|",
    "-m|coverage|combine|--quiet|",
    "-m|coverage|report|--skip-covered|",
    "-m|coverage|report|--skip-covered|--fail-under=100|--include=common/*,services/x.py,|",
]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [((), STATIC + WHOLE), (("--quick",), STATIC + QUICK), (("--cov",), STATIC + MEASURED)],
    ids=["whole", "quick", "measured"],
)
def test_what_is_checked(machine: BareMachine, arguments: tuple[str, ...], expected: list[str]) -> None:
    """Static checks come first; only `--cov` measures."""
    python = 'if [ "$1" = -c ]; then exit 0; fi; printf "%s|" "$@"; echo'
    machine.put(machine.folder / ".venv" / "bin" / "python", python)
    (machine.folder / ".ci").mkdir()
    (machine.folder / ".ci" / "covered").write_text("common/*\nservices/x.py\n")
    machine.run("test", "-x")  # the environment is filled
    done = machine.run("test", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == expected


@pytest.mark.parametrize("arguments", [("--quick", "tests/unit"), ("--quick", "-k", "a b"), ("--cov", "--quick")])
def test_quick_goes_with_nothing_else(machine: BareMachine, arguments: tuple[str, ...]) -> None:
    """One line says so, nothing is set up or run, and the exit code is 2."""
    done = machine.run("test", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert "--quick" in line
    assert not (machine.folder / ".venv").exists()


def test_another_environment_from_another_interpreter(machine: BareMachine) -> None:
    """Continuous integration runs the tests on a second Python in this way."""
    make = 'mkdir -p "$3/bin"; cp "$0" "$3/bin/python"'
    seen = 'echo "seen: $TICKFLAG_VENV$TICKFLAG_PYTHON"'
    machine.put(machine.tools / "other", f'{seen}; if [ "$2" = venv ]; then {make}; fi')
    (machine.tools / "mkdir").symlink_to(shutil.which("mkdir") or "")
    done = machine.run("test", "-x", TICKFLAG_VENV=".venv-other", TICKFLAG_PYTHON="other")
    assert done.returncode == 0
    assert "installing into .venv-other" in done.stderr
    made = machine.folder / ".venv-other" / "bin" / "python"
    assert made.read_text() == (machine.tools / "other").read_text()
    # As they are no settings, tickflag would refuse them.
    assert {line for line in done.stdout.splitlines() if line.startswith("seen:")} == {"seen: "}
    assert not (machine.folder / ".venv").exists()
