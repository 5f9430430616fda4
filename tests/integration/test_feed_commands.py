"""Commands of the feed, seen in a segment that nothing else moves."""

import signal

import pytest

from common import layout
from tests.support.engine import Engine

pytestmark = pytest.mark.timeout(180)

SYMBOLS = 30
QUIET = {
    "TICKFLAG_SYNTHETIC__SYMBOLS": str(SYMBOLS),
    "TICKFLAG_SYNTHETIC__RATE": "0",
    "TICKFLAG_SYNTHETIC__HISTORY": "0",
    "TICKFLAG_FEED__MIN_SWAP_INTERVAL_MS": "86400000",
    "TICKFLAG_FEED__WATERMARK_MS": "86400000",  # no candle closes by the time
    "TICKFLAG_SEGMENT__CAPACITY": "32",
}


def counters(engine: Engine) -> dict[str, int]:
    with engine.segment() as segment:
        return segment.counters()


def closed(engine: Engine) -> int:
    with engine.segment() as segment:
        return int(segment.arrays.control[layout.CLOSED])


def test_a_forced_swap_announces_what_a_burst_changed(engine: Engine) -> None:
    """A burst is exactly so many updates; they wait for the swap interval, unless a swap is forced."""
    engine.start("feed", env=QUIET)
    engine.wait(lambda: engine.request("feed", "status"))
    engine.cli("segment", "swap")  # from now on a day passes before the next
    before, cycle = counters(engine), closed(engine)
    assert engine.cli("synthetic", "burst", "25").stdout == "25 symbols tick at once\n"
    engine.wait(lambda: counters(engine)["updates"] == before["updates"] + 25, 10)
    assert closed(engine) == cycle
    assert engine.cli("segment", "swap").stdout == "swapped: 1 channel had updates to announce\n"
    assert closed(engine) == cycle + 1
    assert counters(engine)["flagged"] == before["flagged"] + 25
    assert engine.cli("segment", "swap").stdout == "swapped: 0 channels had updates to announce\n"
    assert closed(engine) == cycle + 1


def test_cleaning_up_after_a_crash(engine: Engine) -> None:
    """A killed feed leaves segment, pointer and sockets; doctor tells, clean removes them, and says so once."""
    engine.start("feed", env=QUIET)
    engine.wait(lambda: engine.request("feed", "status"))
    left = engine.leftovers()
    engine.kill("feed", signal.SIGKILL)
    doctor = engine.cli("doctor")
    assert doctor.returncode == 0
    assert "warn remains" in doctor.stdout
    cleaned = engine.cli("segment", "clean")
    assert cleaned.returncode == 0
    files = [name for name in left if " " not in name]
    assert len(files) == 4
    assert sorted(line.rpartition("/")[2] for line in cleaned.stdout.splitlines()) == sorted(files)
    engine.wait_gone()
    assert "nothing to remove" in engine.cli("segment", "clean").stdout
    assert engine.cli("segment", "ls").stdout.startswith("no segment")
    assert engine.cli("segment", "dump").returncode == 1
