"""The engine, dashboard and browser that all tests of the page share."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.harnesses.browsed_engine import BrowsedEngine, browsed_engine
from tests.support.harnesses.browser import CHROMIUM, chromium


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for all: a second one cannot be driven beside it, and while it is driven no event loop can be run."""
    if CHROMIUM is None:
        pytest.skip("chromium is missing")
    with chromium() as started:
        yield started


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[BrowsedEngine]:
    """A test that changes something takes it back; the others find what the harness says."""
    with browsed_engine(tmp_path_factory.mktemp("browsed"), browser) as browsed:
        yield browsed
