"""Fixture of the tests of feature flags in the collector."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.harnesses.flags_harness import FlagsHarness


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[FlagsHarness]:
    with FlagsHarness(tmp_path / "j.flags.json") as harness:
        yield harness
