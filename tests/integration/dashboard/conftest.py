"""The engine, dashboard and browser that all tests of the page share."""

from collections.abc import Iterator

import pytest

from tests.support.harnesses.browsed_engine import BrowsedEngine, browsed_engine
from tests.support.harnesses.browser import CHROMIUM


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowsedEngine]:
    """A test that changes something takes it back; the others find what the harness says."""
    if CHROMIUM is None:
        pytest.skip("chromium is missing")
    with browsed_engine(tmp_path_factory.mktemp("browsed")) as browsed:
        yield browsed
