"""Output: a pipe into a log file of limited size, and what the log tells of a process that ended."""

import os
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from pathlib import Path

import pytest

from tickflag.services.trader.supervisor import output as module
from tickflag.services.trader.supervisor.output import CUT, TAIL_BYTES, Output

Write = Callable[[str], None]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "a.log"


@pytest.fixture
def pair(log: Path) -> Iterator[tuple[Output, Write]]:
    """An output with a limit of 100 bytes, and a function that writes to it at once."""
    ours, theirs = Pipe(duplex=False)
    output = Output(ours, log, 100)

    def write(text: str) -> None:
        os.write(theirs.fileno(), text.encode())
        output.drain()

    yield output, write
    output.close()
    theirs.close()


def test_what_is_written_is_in_the_log(pair: tuple[Output, Write], log: Path) -> None:
    """Where nothing was written, nothing is waited for."""
    output, write = pair
    output.drain()
    write("one\n")
    write("two\n")
    assert log.read_text() == "one\ntwo\n"
    assert log.stat().st_mode & 0o777 == 0o600


def test_the_log_never_gets_longer(pair: tuple[Output, Write], log: Path) -> None:
    """What fits is kept; with one byte more the file begins anew, with the end of what came."""
    _, write = pair
    write("x" * 100)
    assert log.read_text() == "x" * 100
    write("y")
    assert log.read_text() == CUT.decode() + "y"
    write("z" * 500 + "end")
    assert log.stat().st_size == 100
    assert log.read_bytes().startswith(CUT)
    assert log.read_text().endswith("zend")


def test_two_write_to_one_file(pair: tuple[Output, Write], log: Path) -> None:
    """A worker and its successor share the file; the limit is that of the file."""
    _, write = pair
    ours, theirs = Pipe(duplex=False)
    other = Output(ours, log, 100)
    write("x" * 90)
    os.write(theirs.fileno(), b"y" * 20)
    theirs.close()
    other.drain()
    assert log.read_text() == CUT.decode() + "y" * 20
    write("x")
    assert log.read_text().endswith("yx")
    assert other.descriptors() == []  # its writer is gone
    assert len(pair[0].descriptors()) == 1
    other.close()
    other.close()


def test_a_flood_leaves_room_for_others(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One turn reads a limited amount and no more."""
    monkeypatch.setattr(module, "MOST_A_TURN", 4096)
    monkeypatch.setattr(module, "AT_ONCE", 1024)
    ours, theirs = Pipe(duplex=False)
    output = Output(ours, log, 1 << 30)
    os.write(theirs.fileno(), b"x" * 16384)
    output.drain()
    assert log.stat().st_size == 4096
    output.drain()
    assert log.stat().st_size == 8192
    output.close()
    theirs.close()


def test_where_it_crashed(pair: tuple[Output, Write]) -> None:
    """The place is the innermost lines of the trader in the last stack; neither our lines nor those of other
    threads."""
    output, write = pair
    assert output.crash_site() == ""
    write("hello\n")
    assert output.crash_site() == ""
    ours = Path(module.__file__).parent / "plugin.py"
    write(
        "Fatal Python error: Aborted\n\n"
        'Thread 0x01 (most recent call first):\n  File "/a/other.py", line 1 in wait\n\n'
        'Current thread 0x02 (most recent call first):\n  File "/a/lib.py", line 7 in <lambda>\n'
        f'  File "/a/my rule.py", line 12 in evaluate\n  File "{ours}", line 90 in _called\n'
        '  File "/a/main.py", line 1 in main\n\nExtension modules: zmq\n'
    )
    assert output.crash_site() == "lib.py line 7 in <lambda>, from my rule.py line 12 in evaluate"
    frames = "".join(f'  File "/a/b.py", line {n} in f\n' for n in range(9))
    write(f"Current thread 0x02 (most recent call first):\n{frames}")
    assert output.crash_site() == "b.py line 0 in f, from b.py line 1 in f, from b.py line 2 in f"


def test_what_python_wrote_last(pair: tuple[Output, Write]) -> None:
    """It is the last line of a traceback; nothing where the process only printed."""
    output, write = pair
    write("hello\n")
    assert output.last_exception() == ""
    write("Traceback (most recent call last):\n  File ...\nTypeError: no\n\n")
    assert output.last_exception() == "TypeError: no"
    write("Traceback (most recent call last):\n  File ...\n" + "E" * 2_000)
    assert output.last_exception() == "E" * 1_000
    write("x" * TAIL_BYTES)
    assert output.last_exception() == ""


def test_no_room_for_a_log(log: Path) -> None:
    """The worker is not held up."""
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full is not there")
    log.symlink_to("/dev/full")
    ours, theirs = Pipe(duplex=False)
    output = Output(ours, log, 100)
    os.write(theirs.fileno(), b"lost\nTraceback (most recent call last):\nError")
    output.drain()
    assert output.last_exception() == "Error"
    output.close()
    theirs.close()
