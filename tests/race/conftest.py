from collections.abc import Iterator

import pytest

from tests.support.processes.folders import runtime_folder
from tests.support.stand_ins.bit_set import BitSet
from tickflag.common.runtime import Runtime
from tickflag.services.feed.warmup import warm_up as warm_up_writer
from tickflag.services.trader.warmup import warm_up as warm_up_reader


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """Compile the kernels once, so that the racers load them from the cache."""
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
