"""The lines of traders: the end of a log."""

import pytest

from tests.support.processes.folders import runtime_folder
from tickflag.services.dashboard.hub.topics import traders
from tickflag.services.dashboard.hub.topics.traders import log_end


def test_the_end_of_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last lines, each whole; nothing of a trader without a log, or of a file elsewhere."""
    with runtime_folder() as runtime:
        assert log_end(runtime, "rsi") == []
        runtime.logs.mkdir()
        (runtime.logs / "rsi.log").write_bytes("first\nzweite Zeile: ä\r\nlast \xff".encode("latin-1"))
        assert log_end(runtime, "rsi") == ["first", "zweite Zeile: \ufffd", "last \ufffd"]
        (runtime.folder / "secret.log").write_text("no")
        assert log_end(runtime, "../secret") == log_end(runtime, "") == []
        monkeypatch.setattr(traders, "LOG_BYTES", 20)
        (runtime.logs / "rsi.log").write_text("a long first line\nsecond\nthird\n")
        assert log_end(runtime, "rsi") == ["second", "third"]
        monkeypatch.setattr(traders, "LOG_LINES", 1)
        assert log_end(runtime, "rsi") == ["third"]
