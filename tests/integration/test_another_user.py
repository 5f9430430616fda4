"""Another user of the machine prepares what our processes are going to use: every process and command refuses it."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.processes.commands import PYTHON, run_command, tickflag_command
from tests.support.processes.conditions import fine
from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to another user")
STRANGER = 65_534
COMMANDS = (
    "status", "traders", "trader start all", "trader release all", "matches all", "signals", "signals --follow",
    "notices", "circuits", "errors", "flags list", "flags set x on", "experiment report", "logs all", "segment ls",
    "segment clean", "segment swap", "synthetic burst 5", "stop", "doctor", "start",
)  # fmt: skip


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder with a prepared runtime folder `run/main`, and a cache of its own."""
    folder = Path(tempfile.mkdtemp(prefix="tf-", dir="/tmp"))
    for name in ("configs", "plugins"):
        (folder / name).mkdir()
    Runtime(folder / "run", "main").prepare()
    yield folder
    shutil.rmtree(folder)


def _move_away(path: Path, owner: int) -> Path:
    """Rename the folder, give it away, and tell where it is."""
    moved = path.with_name(f"{path.name}-moved")
    path.rename(moved)
    os.chown(moved, owner, -1)
    return moved


def root_of_another(base: Path) -> str:
    os.chown(base / "run", STRANGER, -1)
    return "belongs to another user"


def link_of_another(base: Path) -> str:
    moved = _move_away(base / "run", 0)
    (base / "run").symlink_to(moved)
    os.lchown(base / "run", STRANGER, -1)
    return "belongs to another user"


def link_to_another(base: Path) -> str:
    moved = _move_away(base / "run", STRANGER)
    (base / "run").symlink_to(moved)
    return "belongs to another user"


def folder_of_another(base: Path) -> str:
    os.chown(base / "run" / "main", STRANGER, -1)
    return "belongs to another user"


def folder_is_a_link(base: Path) -> str:
    moved = _move_away(base / "run" / "main", 0)
    (base / "run" / "main").symlink_to(moved)
    return "is no folder, but a link"


def folder_open_to_all(base: Path) -> str:
    (base / "run" / "main").chmod(0o777)
    return "others can write to it"


CASES: tuple[Callable[[Path], str], ...] = (
    folder_of_another, root_of_another, link_of_another, link_to_another, folder_is_a_link, folder_open_to_all,
)  # fmt: skip


@pytest.mark.parametrize(
    "prepare",
    [CASES[0], *(pytest.param(case, marks=pytest.mark.soak) for case in CASES[1:])],
    ids=lambda one: one.__name__,
)
def test_the_runtime_folder(base: Path, prepare: Callable[[Path], str]) -> None:
    """Refused in one line that names it, and nothing is put there."""
    words = prepare(base)
    before = sorted(base.rglob("*"))
    env = fine(base).env
    services = [[*PYTHON, "-m", f"tickflag.services.{service}"] for service in ("feed", "collector", "trader")]
    lines = COMMANDS if prepare is CASES[0] else COMMANDS[::4]  # they all ask for the folder in one place
    commands = [*services, *(tickflag_command(*line.split()) for line in lines)]
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda command: run_command(command, env=env), commands))
    faults = [
        (command[-3:], done.returncode, done.stdout, done.stderr)
        for command, done in zip(commands, ends, strict=True)
        if done.returncode != 1 or words not in done.stdout + done.stderr or "Traceback" in done.stderr
    ]
    assert not faults
    assert sorted(path for path in base.rglob("*") if path != base / "work") == before


def test_a_forged_segment(base: Path) -> None:
    """It is not mapped: a command that reads it says whose it is."""
    runtime = Runtime(base / "run", "main")
    with Segment.create(runtime, layout.plan(64, 8, (60,))) as segment:
        segment.publish(runtime)
        os.chown(segment.path, STRANGER, -1)
        done = run_command(tickflag_command("segment", "dump"), env=fine(base).env)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "not a file that only its owner, this user, can write" in done.stderr
