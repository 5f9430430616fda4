"""Fixtures that tests of several parts share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No journal of a test lies beside the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Give the folder of recorded markets, or skip the test where there is none."""
    folder = os.environ.get("TICKFLAG_TEST_DATA")
    if not folder:
        pytest.skip("TICKFLAG_TEST_DATA is not set: no recorded markets to test with")
    path = Path(folder)
    if not path.is_dir():
        pytest.skip(f"TICKFLAG_TEST_DATA names no folder: {folder}")
    return path
