"""`logs`: the right file, its last lines, and what comes after."""

from pathlib import Path

import pytest

from common.runtime import Runtime
from services.cli.logs import fresh_lines

from .conftest import Answers, Run, trader_line


@pytest.fixture
def logs(runtime: Runtime) -> Path:
    """Logs of the files alpha.py and beta.py."""
    runtime.logs.mkdir()
    (runtime.logs / "alpha.log").write_bytes(b"one\ntwo\nthr\xffee\n")
    (runtime.logs / "beta.log").write_bytes(b"")
    return runtime.logs


def test_the_last_lines(logs: Path, run: Run) -> None:
    """As many as asked for; bytes that are no text are shown as such."""
    assert run("logs", "alpha").stdout == "one\ntwo\nthr\N{REPLACEMENT CHARACTER}ee\n"
    assert run("logs", "alpha", "--lines", "1").stdout == "thr\N{REPLACEMENT CHARACTER}ee\n"
    assert run("logs", "alpha", "--lines", "0").stdout == ""
    assert run("logs", "beta").stdout == ""


def test_a_trader_is_found_by_its_name(logs: Path, run: Run, answers: Answers) -> None:
    """Its name tells its file, which has another name."""
    answers["traders"] = [trader_line("first-rule", log="alpha"), trader_line("gamma")]
    assert run("logs", "first-rule", "--lines", "1").stdout.startswith("thr")
    assert run("logs", "gamma").stderr == "tickflag: trader 'gamma' has written nothing yet\n"


def test_an_unknown_trader(logs: Path, run: Run) -> None:
    """The files are named where nobody knows the traders' names; no path leads out of the folder."""
    assert run("logs", "nobody").stderr == "tickflag: no trader 'nobody': known are alpha, beta\n"
    assert run("logs", "../../etc/passwd").exit_code == 1


def test_an_unknown_trader_while_the_engine_runs(logs: Path, run: Run, answers: Answers) -> None:
    """Each known one is named once, by its name where it has told it."""
    answers["traders"] = [trader_line("first-rule", log="alpha")]
    assert run("logs", "nobody").stderr == "tickflag: no trader 'nobody': known are beta, first-rule\n"


def test_no_logs_at_all(runtime: Runtime, run: Run) -> None:
    """Nothing ran here yet."""
    assert run("logs", "alpha").stderr == "tickflag: no trader 'alpha': known are none so far\n"


def test_following_a_file_that_is_cut(tmp_path: Path) -> None:
    """The supervisor cuts a log that is too long: what comes after is read from the beginning."""
    path = tmp_path / "x.log"
    path.write_bytes(b"a long line\n")
    with path.open("rb") as file:
        assert fresh_lines(file) == [b"a long line\n"]
        assert fresh_lines(file) == []
        path.write_bytes(b"new\n")
        assert fresh_lines(file) == [b"new\n"]
