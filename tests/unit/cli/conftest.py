"""Fixtures of the command line's tests: an instance of their own, and commands run in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.support.processes.folders import runtime_folder
from tickflag.common.runtime import Runtime
from tickflag.common.wire.requests import Client
from tickflag.services.cli.group import tickflag

Run = Callable[..., Result]
Answers = dict[str, Any]


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """The prepared runtime folder of the instance `test`, which the settings name; nothing runs in it."""
    with runtime_folder() as runtime:
        monkeypatch.setenv("TICKFLAG_RUNTIME__ROOT", str(runtime.folder.parent))
        monkeypatch.setenv("TICKFLAG_INSTANCE", runtime.folder.name)
        monkeypatch.setenv("TICKFLAG_CONFIG", str(tmp_path))
        yield runtime


@pytest.fixture
def run() -> Run:
    """Run a command line; an exception of a bug reaches the test."""

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(tickflag, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """The answers of all services, by request. A request that is missing here must not be made."""
    known: Answers = {}

    def ask(_client: Client, what: str, **arguments: Any) -> Any:
        answer = known[what]
        return answer(**arguments) if callable(answer) else answer

    monkeypatch.setattr(Client, "ask", ask)
    return known


def trader_line(name: str, **fields: Any) -> dict[str, Any]:
    """A trader's line as the collector gives it."""
    return {
        "name": name, "state": "running", "pid": 1, "synced": True, "matches": 0, "stale": 0, "cycle": 0, "cycles": 0,
        "processed": 0, "skipped": 0, "efficiency": 0.0, "bytes_sent": 0, "bytes_full": 0, "bytes_wire": 0, "fast": 0,
        "retried": 0, "batched": 0, "failures": 0, "error": "", "restarts": 0, "reason": "",
        "source": f"/traders/{name}.py",
        "version": "", "log": name, "cpu_ns": 0, "age_ms": 10, "circuits": {"tracking": "closed", "plugin": "closed"},
        "fault": "",
        **fields,
    }  # fmt: skip
