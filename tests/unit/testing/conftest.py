"""Fixtures for the tests of what traders are tested with."""

from pathlib import Path

import pytest

from tests.support.documents.reference import all_settings


@pytest.fixture(autouse=True)
def defaults(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Default settings, whatever is set where the tests run; the configuration folder is the test's own."""
    for setting in all_settings():
        monkeypatch.delenv(setting.variable, raising=False)
    folder = tmp_path_factory.mktemp("configs")
    monkeypatch.setenv("TICKFLAG_CONFIG", str(folder))
    return folder
