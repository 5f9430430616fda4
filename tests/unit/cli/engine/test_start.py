"""`start`: its refusals, before it starts anything."""

import os
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tickflag.common.runtime import Role, Runtime
from tickflag.services.cli.engine.processes import environment
from tickflag.services.cli.engine.start import BESIDE, PROCFILE, SERVICES, last_words


@pytest.mark.parametrize("service", SERVICES)
def test_an_engine_that_runs_is_named(runtime: Runtime, run: Run, service: str) -> None:
    """Any of the engine's services is enough."""
    with Role(runtime, service):
        result = run("start")
    assert result.exit_code == 75
    assert result.stderr.startswith(f"tickflag: a {service} is already running for instance 'test' (pid {os.getpid()})")


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("", ""),
        ("tickflag: the log is full\n", "the log is full"),
        (
            "05:26:26 feed.1      | feed: no source 'x'\n05:26:26 system      | feed.1 stopped (rc=1)\n"
            "05:26:26 trader.1    | stopped\ntickflag: feed.1 ended by itself with status 1, so all were stopped\n",
            "feed: no source 'x'",
        ),
        ("tickflag: feed.1 ended by itself with status -9\n", "feed.1 ended by itself with status -9"),
    ],
)
def test_why_a_start_failed(output: str, words: str) -> None:
    """The last line of the service that ended, where it said something."""
    assert last_words(output) == words


def test_the_built_in_processes_are_those_of_the_procfile() -> None:
    """`tickflag start` does the same with and without the Procfile."""
    assert (Path(__file__).parents[4] / "Procfile").read_text() == PROCFILE


@pytest.mark.parametrize(
    ("content", "mistake"),
    [("", "no processes"), ("no colon here\n", "no processes"), ("a: x\na: y\n", "process names must be unique")],
)
def test_a_procfile_without_use(runtime: Runtime, run: Run, tmp_path: Path, content: str, mistake: str) -> None:
    """One line names the file and the fault."""
    path = tmp_path / "Other"
    path.write_text(content)
    result = run("start", "--procfile", str(path))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"tickflag: {path}: {mistake}")


def test_wrong_usage(runtime: Runtime, run: Run) -> None:
    """The file does not exist, or the time is none."""
    assert run("start", "--procfile", "/no/such/file").exit_code == 2
    assert run("start", "--for", "0").exit_code == 2


def test_the_processes_get_this_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python` is this interpreter, and its output comes at once."""
    monkeypatch.setenv("PATH", "/usr/bin")
    env = environment()
    assert env["PATH"] == f"{Path(sys.executable).parent}:/usr/bin"
    assert env["PYTHONUNBUFFERED"] == "1"


@pytest.mark.parametrize("service", BESIDE)
def test_what_the_engine_does_not_need_holds_up_no_start(
    runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    """A dashboard that runs by itself is no engine."""
    from tickflag.services.cli.engine import start

    begun: list[object] = []
    monkeypatch.setattr(start, "_run", lambda *arguments: begun.append(arguments))
    with Role(runtime, service):
        assert run("start").exit_code == 0
    assert begun
