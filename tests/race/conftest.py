from collections.abc import Iterator

import pytest

from common.bitset import BitSet
from common.runtime import Runtime
from services.feed.warmup import warm_up as warm_up_writer
from services.trader.warmup import warm_up as warm_up_reader
from tests.support.folders import runtime_folder


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """Kernels come from the cache when the racers need them, and are not compiled by each at once."""
    warm_up_writer()
    warm_up_reader()
    bits = BitSet(1)
    bits.set(0)
    bits.clear(0)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """A runtime folder of the test's own."""
    with runtime_folder() as runtime:
        yield runtime
