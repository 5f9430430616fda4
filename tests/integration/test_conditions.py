"""Every command under each bad condition: no traceback, at most one line that says what is wrong, and the exit code.

A line on the cache of kernels may stand beside that one.
"""

import concurrent.futures
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.processes.conditions import CONDITIONS, Condition, fine, full_disk
from tickflag.services.cli.group import COMMANDS

TRADER = """\
from tickflag import Trader, hookimpl

@hookimpl
def trader():
    return Trader(name="all")

@hookimpl
def evaluate(market):
    return market.last > 0
"""
BESIDE = ("set XDG_CACHE_HOME", "NUMBA_CACHE_DIR is not used", "first run: compiling kernels")
REPLAY = ("replay", "{base}/good.parquet", "--traders", "{base}/all.py")

# Arguments -> exit code where all is well and no engine runs.
LINES: dict[tuple[str, ...], int] = {
    ("--help",): 0,
    ("--version",): 0,
    ("status",): 1,
    ("top",): 1,
    ("stop",): 0,
    ("traders",): 1,
    ("trader", "start", "all"): 1,
    ("trader", "release", "all"): 1,
    ("matches", "all"): 1,
    ("signals",): 1,
    ("signals", "--follow"): 1,
    ("notices",): 1,
    ("circuits",): 1,
    ("errors",): 1,
    ("flags", "list"): 1,
    ("flags", "set", "x", "on"): 1,
    ("flags", "force", "x", "on", "--trader", "all"): 1,
    ("flags", "kill", "x"): 1,
    ("flags", "history"): 1,
    ("experiment", "report"): 1,
    ("experiment", "reset", "x"): 1,
    ("keys", "new-server"): 0,
    ("keys", "list"): 0,
    ("logs", "all"): 1,
    ("dashboard",): 1,
    ("segment", "ls"): 0,
    ("segment", "clean"): 0,
    ("segment", "swap"): 1,
    ("synthetic", "burst", "5"): 1,
    ("new-trader", "mine", "--folder", "{work}"): 0,
    ("check", "{base}/all.py"): 0,
    (*REPLAY, "--report", "{work}/report", "--chart", "{work}/chart.html"): 0,
    ("import", "{base}/good.csv", "--out", "{work}/out.parquet"): 0,
    ("doctor",): 0,
    ("doctor", "--bundle", "{work}/bundle.tgz"): 0,
    ("show-config",): 0,
    ("start", "--procfile", "{base}/Procfile", "--for", "0.5"): 0,
}
# Condition -> beginning of a command's arguments -> its exit code there, and what its one line says.
FULL = (1, "No space left on device")
BLOCKED = (1, "Not a directory")
OTHERWISE: dict[str, dict[tuple[str, ...], tuple[int, str]]] = {
    "little_memory": dict.fromkeys(
        [line for line in LINES if line not in (("--help",), ("--version",))],
        (1, "this process may use only 200 MB of addresses (`ulimit -v`)"),
    ),
    "no_runtime": {
        **dict.fromkeys([("stop",), ("keys", "new-server"), ("doctor",), ("start",)], BLOCKED),
        ("doctor", "--bundle"): (0, ""),
    },
    "foreign_cache": {("check",): (0, "belongs to another user: compiled kernels are kept in ")},
    "cache_not_writable": {("check",): (0, "Operation not permitted: compiled kernels are kept in ")},
    "cache_of_all": {("check",): (0, "others may write to it: name a folder that only you may write to")},
    "clock_behind": {("doctor",): (1, "set it: candles follow it"), ("doctor", "--bundle"): (0, "")},
    "no_state": {("keys", "new-server"): BLOCKED},
    "full_disk": dict.fromkeys([("new-trader",), ("replay",), ("import",), ("doctor", "--bundle")], FULL),
    "full_output": {line: (1, "the output cannot be written") for line, code in LINES.items() if code == 0},
}


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """A folder with what the commands read; short, as sockets are below it."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="tf-", dir="/tmp"))
    for name in ("configs", "plugins"):
        (folder / name).mkdir()
    (folder / "all.py").write_text(TRADER)
    (folder / "Procfile").write_text("one: exec sleep 60\n")
    times = ("2024-03-04 00:00:00", "2024-03-04 00:00:01", "2024-03-04 00:02:01")
    (folder / "good.csv").write_text("time,symbol,price\n" + "".join(f"{time},A,1\n" for time in times))
    made = fine(folder).run(("import", "{base}/good.csv", "--out", "{base}/good.parquet"))
    assert made.returncode == 0, made.stderr
    yield folder
    shutil.rmtree(folder)


def test_every_command_is_here() -> None:
    """A new command gets its line."""
    assert {line[0] for line in LINES} >= set(COMMANDS)


# All of them take minutes. This one, which is three of them at once, tells soon of a fault of the kind.
QUICK = ("bare_container",)


@pytest.mark.parametrize(
    "condition",
    [pytest.param(one, marks=() if one.__name__ in QUICK else pytest.mark.soak) for one in CONDITIONS],
    ids=lambda condition: condition.__name__,
)
def test_commands_under_a_condition(base: Path, condition: Callable[[Condition], None]) -> None:
    """What needs nothing of what is missing works; the rest says in one line what it needs."""
    one = fine(base)
    condition(one)
    check(one, condition.__name__)


@pytest.mark.soak
def test_commands_on_a_full_disk(base: Path) -> None:
    """What cannot be written whole leaves nothing."""
    one = fine(base)
    with full_disk(one):
        check(one, "full_disk")
        left = sorted(path.name for path in one.work.rglob("*") if path.is_file())
        assert left == ["fill"]


def check(one: Condition, condition: str) -> None:
    faults = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for line, done in zip(LINES, pool.map(one.run, LINES), strict=True):
            expected, words = LINES[line], ""
            for beginning, otherwise in OTHERWISE.get(condition, {}).items():
                if line[: len(beginning)] == beginning:
                    expected, words = otherwise
            said = (done.stdout or "") + (done.stderr or "")
            errors = (done.stderr or "").splitlines()
            codes = {0, 1} if condition == "dead_output" else {expected}  # nobody asks what came of it
            if (
                done.returncode not in codes
                or any(word in said for word in ("Traceback", "Exception ignored", "Fatal Python error"))
                or words not in said
                or len([line for line in errors if not any(word in line for word in BESIDE)]) > 1
            ):
                faults.append(f"{' '.join(line)}: {done.returncode}, not {expected} {words!r}: {said[-600:]}")
    assert not faults, "\n".join(faults)
