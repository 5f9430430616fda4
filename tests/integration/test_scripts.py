"""`scripts/run`, `test` and `bench`: what they say where nothing can be set up, and that arguments are passed on."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.engine import ROOT

TOOLS = ("sh", "dirname", "cmp", "cp", "rm", "tr")
NO_VENV = 'case "$1" in -m) exit 1 ;; esac'
SCRIPTS = pytest.mark.parametrize("script", ["run", "test", "bench"])


class Place:
    """A copy of the scripts, on a machine that has only what is put there."""

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
        """A program of the shell."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "scripts" / script, *arguments],
            cwd="/", env={"PATH": str(self.tools)}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Without Python and without uv."""
    return Place(tmp_path)


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
def test_where_nothing_can_be_set_up(place: Place, script: str, program: str, body: str, words: str) -> None:
    """One line says what is missing and what to install; exit code 1, and no half environment stays."""
    if program:
        place.put(place.tools / program, body)
    done = place.run(script)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
    assert not (place.folder / ".venv").exists()


@SCRIPTS
def test_dependencies_that_cannot_be_installed(place: Place, script: str) -> None:
    """It says so, and tries again the next time."""
    place.put(place.tools / "python3", "exit 0")
    place.put(place.folder / ".venv" / "bin" / "python", NO_VENV)
    for _ in range(2):
        done = place.run(script)
        assert done.returncode == 1
        assert "could not install the dependencies" in done.stderr


@pytest.mark.parametrize(
    ("script", "program", "first"),
    [("run", "tickflag", "start"), ("test", "python", "-m pytest"), ("bench", "python", "-m tests.bench")],
)
def test_arguments_are_passed_on(place: Place, script: str, program: str, first: str) -> None:
    """As they are, blanks within them too; the environment is made and filled once."""
    python = 'if [ "$1" = -c ]; then exit 0; fi; printf "%s|" "$@"; echo'
    place.put(place.folder / ".venv" / "bin" / "python", python)
    place.put(place.folder / ".venv" / "bin" / "tickflag", 'printf "%s|" "$@"; echo')
    assert "installing" in place.run(script, "x").stderr
    done = place.run(script, "--for", "2 0")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{first} --for".replace(" ", "|") + "|2 0|\n"
