"""The clock of the feed's process is stepped while it runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.harnesses.engine import READY_S, Engine
from tests.support.processes.libfaketime import stepped_clock

SETTINGS = {
    "TICKFLAG_SEGMENT__INTERVALS": '["1s", "1m"]',
    "TICKFLAG_FEED__WATERMARK_MS": "200",
    "TICKFLAG_SYNTHETIC__SYMBOLS": "20",
    "TICKFLAG_SYNTHETIC__RATE": "100",
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path, SETTINGS, tmp_path / "no-traders") as engine:
        yield engine


def test_candles_close_after_a_step_back_of_an_hour(engine: Engine, tmp_path: Path) -> None:
    """At once, not in an hour; the log tells of the step, and of its end."""
    shift = tmp_path / "shift"
    shift.write_text("+0")
    engine.start("feed", env=stepped_clock(shift))

    def closed() -> int:
        return int(engine.request("feed", "status")["candles_closed"])

    engine.wait(closed, READY_S, "candles close")
    shift.write_text("-1h")
    engine.wait(lambda: "clock stepped back" in engine.output("feed"), READY_S, "the step is told")
    before = closed()
    engine.wait(lambda: closed() > before + 40, READY_S, "candles go on closing")
    assert engine.request("feed", "status")["late_ticks"] == 0
    shift.write_text("+0")
    engine.wait(lambda: "clock caught up" in engine.output("feed"), READY_S, "the end is told")
    assert engine.stop("feed") == 0
