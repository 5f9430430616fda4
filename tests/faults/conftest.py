"""Fixtures of the fault tests: an engine that plays a ledger and, whatever befell it, leaves nothing behind."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.harnesses.engine import SERVICES, Engine
from tests.support.markets.ledger import Ledger, ledger_env, write_ledger, write_ledger_traders


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """The recording that the feed plays."""
    return write_ledger(tmp_path)


@pytest.fixture
def engine(tmp_path: Path, ledger: Ledger) -> Iterator[Engine]:
    """An engine with the ledger's traders; nothing is started yet.

    What runs at the end of the test is stopped as `honcho` stops it: no process, segment or socket may be left.
    """
    with Engine(tmp_path, ledger_env(ledger), write_ledger_traders(tmp_path / "traders")) as engine:
        yield engine
        running = [service for service in SERVICES if engine.alive(service)]
        for service in running:
            engine.send(service, signal.SIGTERM)
        assert [engine.wait_exit(service) for service in running] == [0] * len(running)
        engine.wait_gone()
