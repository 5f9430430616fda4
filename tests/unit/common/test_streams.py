"""No text fails to be written: an encoding that lacks its characters gets them escaped, a closed stream nothing."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stand_ins.lost_stream import LostStream
from tickflag.common.streams import accept_any_text, complain, drop_unwritten, says_all, visible

NAME = "币安人生USDT"


def test_what_the_encoding_cannot_say_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it can say stays as it is."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "latin-1"))
    accept_any_text()
    print(f"é {NAME}", flush=True)  # noqa: T201 - the output is what is tested
    assert written.getvalue().decode("latin-1") == "é \\u5e01\\u5b89\\u4eba\\u751fUSDT\n"


def test_closed_streams_take_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has None in their place. What is no text stream, as under a test, is left alone."""
    other = io.StringIO()
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", other)
    accept_any_text()
    with sys.stdout as stream:
        stream.write(NAME)
    assert sys.stderr is other


@pytest.mark.parametrize(
    ("encoding", "expected"), [("utf-8", True), ("UTF8", True), ("utf-16", True), ("latin-1", False), ("cp1252", False)]
)
def test_which_streams_say_all(encoding: str, expected: bool) -> None:
    """Those of Unicode."""
    assert says_all(io.TextIOWrapper(io.BytesIO(), encoding)) == expected
    assert says_all(io.StringIO())


def test_a_complaint_that_nobody_takes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a line on standard error where that takes one, and nothing else."""
    complain("it rains")
    assert capsys.readouterr().err == "it rains\n"
    monkeypatch.setattr(sys, "stderr", LostStream(errno.EIO))
    complain("it rains")


def test_what_is_left_at_the_end_is_dropped(tmp_path: Path) -> None:
    """A stream that takes nothing does not change the exit code, nor say a word of Python's."""
    script = "import sys; from tickflag.common.streams import drop_unwritten; sys.stdout.write('x'); drop_unwritten()"
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            env=_environment({"PYTHONUNBUFFERED": ""}),
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_stream_that_is_flushed_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the one that takes nothing goes nowhere."""
    with (tmp_path / "out").open("w") as out, LostStream(errno.ENOSPC, "flush") as lost:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", lost)
        drop_unwritten()
        out.write("more")
    assert (tmp_path / "out").read_text() == "more"


COMMANDS = {
    "import": ["import", "{folder}/币.csv", "--out", "{folder}/币.parquet"],
    "help": ["import", "--help"],
    "no such command": ["币"],
    "no such file": ["replay", "币.parquet"],
    "json": ["import", "{folder}/币.csv", "--out", "{folder}/币.parquet", "--json"],
    "replay": ["replay", "{folder}/good.parquet", "--traders", "{folder}/all.py"],
    "check": ["check", "{folder}/all.py"],
    "configuration": ["show-config"],
}


@pytest.mark.parametrize(
    ("command", "encoding"),
    [*((command, "latin-1") for command in COMMANDS), ("import", "ascii"), ("import", "closed"), ("replay", "closed")],
)
def test_no_command_fails_for_a_name(tmp_path: Path, command: str, encoding: str) -> None:
    """Symbols, files, values and arguments may have any name, whatever the terminal is."""
    (tmp_path / "币.csv").write_text(f"time,symbol,price\n2024-03-04,{NAME},abc币\n2024-03-04,{NAME},1\n", "utf-8")
    (tmp_path / "all.py").write_text(
        '"""币"""\nfrom tickflag import Trader, hookimpl\n\n@hookimpl\ndef trader():\n    return Trader(name="all")\n\n'
        '@hookimpl\ndef evaluate(market):\n    print("币")\n    return market.last > 0\n',
        "utf-8",
    )
    run = [sys.executable, "-X", "utf8=0", "-m", "tickflag.services.cli"]
    environment = {"PYTHONIOENCODING": "ascii" if encoding == "closed" else encoding, "TICKFLAG_CONFIG": str(tmp_path)}
    if command == "replay":
        subprocess.run(
            [*run, "import", tmp_path / "币.csv", "--out", tmp_path / "good.parquet"],
            env=_environment(environment), check=True, capture_output=True,
        )  # fmt: skip
    line = [*run, *(part.format(folder=tmp_path) for part in COMMANDS[command])]
    if encoding == "closed":
        line = ["sh", "-c", '"$@" >&- 2>&-', "sh", *line]
    found = subprocess.run(line, env=_environment(environment), capture_output=True, check=False)
    assert b"Traceback" not in found.stderr + found.stdout
    assert b"UnicodeEncodeError" not in found.stderr + found.stdout
    assert found.returncode == {"no such command": 2, "no such file": 1}.get(command, 0)
    if encoding == "latin-1" and command in ("import", "replay"):
        assert rb"\u5e01" in found.stderr + found.stdout


def _environment(more: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **more}


def test_what_controls_a_terminal_is_made_visible() -> None:
    """Escape codes, whatever else cannot be printed, and marks that turn the order of letters about; no letter of any
    language, and neither tab nor line end."""
    assert visible("BTC\x1b[2J\x9b1m\r\x07\u202eTH") == r"BTC\x1b[2J\x9b1m\r\x07\u202eTH"
    assert visible("币安人生\tÄ\n") == "币安人生\tÄ\n"
