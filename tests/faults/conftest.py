"""Fixtures of the fault tests: an engine that plays a ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.ledger import Ledger, ledger_env, write_ledger, write_ledger_traders


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """The recording that the feed plays."""
    return write_ledger(tmp_path)


@pytest.fixture
def engine(tmp_path: Path, ledger: Ledger) -> Iterator[Engine]:
    """An engine with the ledger's traders; nothing is started yet."""
    with Engine(tmp_path, ledger_env(ledger), write_ledger_traders(tmp_path / "traders")) as engine:
        yield engine
