"""Fixture of the tests of experiments that the journal keeps."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.harnesses.journalled_experiments_harness import JournalledExperimentsHarness


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[JournalledExperimentsHarness]:
    harness = JournalledExperimentsHarness(tmp_path / "journal.sqlite")
    yield harness
    harness.close()
