"""Fixtures that tests of several folders share, and what holds for every run of tests, wherever it is started."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# A shell ignores SIGINT for what it runs in the background. All processes of the tests would inherit that, and those
# that have to end at Ctrl-C would not end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """The processes for `--numprocesses auto`: more than there are cores, because tests that start engines mostly
    wait."""
    return 2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2 * (os.cpu_count() or 1)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Run long tests first, and keep modules with a shared engine whole."""
    from tests.support.processes.schedule import SlowestFirst

    config.option.loadscopereorder = False  # that order goes by the number of tests
    return SlowestFirst(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the tests: each test process starts them in the order of its collection."""
    if hasattr(config, "workerinput"):
        from tests.support.processes.schedule import rank

        items.sort(key=lambda item: rank(item.nodeid))


@pytest.fixture(scope="session", autouse=True)
def _state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep journals of tests apart from the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_engine_in_this_process() -> Iterator[None]:
    """Fail at once where `tickflag start` is not refused as it should be: the test would wait for its engine."""
    from tickflag.services.cli.engine.processes import Processes

    def refuse(*_arguments: object) -> None:
        raise AssertionError("a test started an engine in its own process: use tests.support.harnesses.engine")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Processes, "run", refuse)
        yield


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of recorded markets; the test is skipped where there is none."""
    folder = os.environ.get("TICKFLAG_TEST_DATA")
    if not folder:
        pytest.skip("TICKFLAG_TEST_DATA is not set: no recorded markets to test with")
    path = Path(folder)
    if not path.is_dir():
        pytest.skip(f"TICKFLAG_TEST_DATA names no folder: {folder}")
    return path


@pytest.fixture(scope="session", autouse=True)
def _one_name_a_file() -> Iterator[None]:
    """When all tests have run, no file of ours was loaded under two names."""
    yield
    from tests.support.processes.one_name import loaded, wrong_names

    assert wrong_names(loaded()) == {}
