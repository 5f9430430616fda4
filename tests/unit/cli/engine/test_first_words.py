"""FirstWords: when the engine counts as ready, and how commands are named."""

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes.waiting import wait_until
from tests.unit.cli.conftest import Answers, Run
from tickflag.common.runtime import Role, Runtime, ServedAddress
from tickflag.services.cli.engine import first_words
from tickflag.services.cli.engine.first_words import FirstWords, command_line


def listed(name: str, state: str = "running", busy: bool = False) -> dict[str, Any]:
    return {"name": name, "state": state, "busy": busy}


@pytest.mark.parametrize(
    ("traders", "words"),
    [
        ([listed("a"), listed("b")], "the engine is ready: 2 traders run"),
        ([listed("a")], "the engine is ready: 1 trader runs"),
        ([listed("a"), listed("b", "skipped")], "the engine is ready: 1 trader runs, 1 not: "),
    ],
)
def test_it_says_what_runs_and_what_to_type(
    runtime: Runtime, answers: Answers, monkeypatch: pytest.MonkeyPatch, traders: list[Any], words: str
) -> None:
    """Once no trader is busy any more and the collector knows all."""
    monkeypatch.setattr(first_words, "LOOK_S", 0.01)
    asked = threading.Event()
    busy = True

    def supervisor_or_collector() -> list[Any]:
        asked.set()
        return [{**one, "busy": busy} for one in traders]

    answers.update(status={}, traders=supervisor_or_collector)
    said: list[str] = []
    with FirstWords(runtime, said.append, "Ctrl-C ends the engine"):
        assert asked.wait(30)
        assert said == []
        busy = False
        wait_until(lambda: len(said) == 3)
    assert said[0].startswith(words)
    assert said[1].startswith("next, in another terminal: ")
    assert said[2] == "Ctrl-C ends the engine"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8087", "", None])
def test_the_dashboards_address_is_said(
    runtime: Runtime, answers: Answers, monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    """Where it is served; nothing of it where it idles, or does not tell in time."""
    monkeypatch.setattr(first_words, "LOOK_S", 0.01)
    answers.update(status={}, traders=[listed("a")])
    said: list[str] = []
    with Role(runtime, "dashboard"):
        if url is not None:
            ServedAddress(runtime, "dashboard").write(url)
        with FirstWords(runtime, said.append, "end", dashboard=True):
            wait_until(lambda: "end" in said)
    told = [line for line in said if line.startswith("the dashboard is at ")]
    assert [line.partition(";")[0] for line in told] == ([f"the dashboard is at {url}"] if url else [])


def test_an_engine_that_never_gets_ready(runtime: Runtime) -> None:
    """Nothing is said, and the end of the block ends the asking."""
    said: list[str] = []
    with FirstWords(runtime, said.append, "end"):
        pass
    assert said == []


@pytest.mark.parametrize("case", ["on the path", "below the folder", "elsewhere", "not installed"])
def test_how_a_command_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """The line works where it is shown."""
    folder = tmp_path / "venv" / "bin"
    folder.mkdir(parents=True)
    program = folder / "tickflag"
    if case != "not installed":
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(folder) if case == "on the path" else "/nowhere")
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(other if case == "elsewhere" else tmp_path)
    assert (
        command_line("status")
        == {
            "on the path": "tickflag status",
            "below the folder": "venv/bin/tickflag status",
            "elsewhere": f"{program} status",
            "not installed": "python -P -m tickflag.services.cli status",
        }[case]
    )


def test_the_instance_is_named(runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A command that is shown goes to the engine that was started."""
    from tickflag.services.cli.engine import start

    monkeypatch.setattr(start, "_run", lambda *_: print(command_line("status")))  # noqa: T201
    for name in ("INSTANCE", "CONFIG"):
        monkeypatch.setenv(f"TICKFLAG_{name}", "")
    result = run("--instance", "second", "--config", str(tmp_path), "start")
    assert result.stdout.strip().endswith(f"--instance second --config {tmp_path} status")
