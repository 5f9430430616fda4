"""`logs`: the right file, its last lines, and the lines that follow."""

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Answers, Run, trader_line
from tickflag.common.runtime import Runtime
from tickflag.services.cli.engine.logs import fresh_lines


@pytest.fixture
def logs(runtime: Runtime) -> Path:
    """Logs of the files alpha.py and beta.py."""
    runtime.logs.mkdir()
    (runtime.logs / "alpha.log").write_bytes(b"one\ntwo\nthr\xffee\n")
    (runtime.logs / "beta.log").write_bytes(b"")
    return runtime.logs


def test_the_last_lines(logs: Path, run: Run) -> None:
    """As many lines as asked for; bytes that are no text are shown as such."""
    assert run("logs", "alpha").stdout == "one\ntwo\nthr\N{REPLACEMENT CHARACTER}ee\n"
    assert run("logs", "alpha", "--lines", "1").stdout == "thr\N{REPLACEMENT CHARACTER}ee\n"
    assert run("logs", "alpha", "--lines", "0").stdout == ""
    assert run("logs", "beta").stdout == ""


def test_a_trader_is_found_by_its_name(logs: Path, run: Run, answers: Answers) -> None:
    """The trader's name leads to its file, which has another name."""
    answers["traders"] = [trader_line("first-rule", log="alpha"), trader_line("gamma")]
    assert run("logs", "first-rule", "--lines", "1").stdout.startswith("thr")
    assert run("logs", "gamma").stderr == "tickflag: trader 'gamma' has written nothing yet\n"


def test_an_unknown_trader(logs: Path, run: Run) -> None:
    """Where nobody knows the traders' names, the error lists the files; no path leads out of the folder."""
    assert run("logs", "nobody").stderr == "tickflag: no trader 'nobody': known are alpha, beta\n"
    assert run("logs", "../../etc/passwd").exit_code == 1


def test_an_unknown_trader_while_the_engine_runs(logs: Path, run: Run, answers: Answers) -> None:
    """Each known trader is listed once, by its name if it has reported one."""
    answers["traders"] = [trader_line("first-rule", log="alpha")]
    assert run("logs", "nobody").stderr == "tickflag: no trader 'nobody': known are beta, first-rule\n"


def test_no_logs_at_all(runtime: Runtime, run: Run) -> None:
    """The error says that nothing has run here yet."""
    assert run("logs", "alpha").stderr == "tickflag: no trader 'alpha': known are none so far\n"


def test_following_a_file_that_is_cut(tmp_path: Path) -> None:
    """The supervisor cuts a log that is too long: the rest is then read from the beginning."""
    path = tmp_path / "x.log"
    path.write_bytes(b"a long line\n")
    with path.open("rb") as file:
        assert fresh_lines(file) == [b"a long line\n"]
        assert fresh_lines(file) == []
        path.write_bytes(b"new\n")
        assert fresh_lines(file) == [b"new\n"]
