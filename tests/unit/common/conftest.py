from collections.abc import Iterator

import pytest

from tests.support.processes.folders import runtime_folder
from tests.support.stand_ins.kernels import plain_kernels
from tickflag.common.runtime import Runtime


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """A runtime folder of the test's own."""
    with runtime_folder() as runtime:
        yield runtime


@pytest.fixture(params=["compiled", "plain"])
def kernels(request: pytest.FixtureRequest) -> Iterator[str]:
    """The test runs twice: with compiled kernels and with their plain twins."""
    if request.param == "compiled":
        yield request.param
    else:
        with plain_kernels():
            yield request.param
