"""Fixture of the tests of recovery."""

from collections.abc import Iterator

import pytest

from tests.support.harnesses.recovery_harness import RecoveryHarness


@pytest.fixture
def harness() -> Iterator[RecoveryHarness]:
    with RecoveryHarness() as harness:
        yield harness
