"""ChangeHints: a descriptor that wakes the supervisor when a file changed."""

import select
import sys
from pathlib import Path

import pytest

from tickflag.services.trader.supervisor.change_hints import ChangeHints


def test_hints_wake(tmp_path: Path) -> None:
    """The descriptor is readable soon after a file of the folder has changed."""
    pytest.importorskip("watchfiles")
    hints = ChangeHints([tmp_path, tmp_path / "missing"])
    try:
        assert not hints.received()
        for attempt in range(100):  # the thread may not watch yet
            (tmp_path / "a.py").write_text("1" * attempt)
            if select.select([hints], [], [], 0.2)[0]:
                break
        assert hints.received()
    finally:
        hints.close()


def test_without_watchfiles_there_are_no_hints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor checks the files without hints too."""
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    hints = ChangeHints([tmp_path])
    (tmp_path / "a.py").touch()
    assert not hints.received()
    hints.close()
