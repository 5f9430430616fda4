"""Fixtures of the command line's tests: an instance of their own, and commands run in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from common.runtime import Runtime
from services.cli.group import tickflag
from tests.support.folders import runtime_folder

Run = Callable[..., Result]


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
    """Run a command line; a bug of ours comes through."""

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(tickflag, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke
