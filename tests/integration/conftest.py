"""Fixtures of the tests with real processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.harnesses.engine import Engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine of the test's own, with the shipped traders; nothing is started yet."""
    with Engine(tmp_path) as engine:
        yield engine
