"""Commands of the feed, seen in a segment that nothing else moves."""

import json
import signal
from pathlib import Path

from tests.support.harnesses.engine import Engine
from tickflag.common.segment import layout

SYMBOLS = 30
NOON_MS = 1_709_553_600_000
QUIET = {
    "TICKFLAG_SYNTHETIC__SYMBOLS": str(SYMBOLS),
    "TICKFLAG_SYNTHETIC__RATE": "0",
    "TICKFLAG_SYNTHETIC__HISTORY": "0",
    "TICKFLAG_FEED__MIN_SWAP_INTERVAL_MS": "86400000",
    "TICKFLAG_FEED__WATERMARK_MS": "86400000",  # no candle closes by time
    "TICKFLAG_SEGMENT__CAPACITY": "32",
}


def counters(engine: Engine) -> dict[str, int]:
    with engine.segment() as segment:
        return segment.counters()


def closed(engine: Engine) -> int:
    with engine.segment() as segment:
        return int(segment.arrays.control[layout.CLOSED])


def test_a_forced_swap_announces_what_a_burst_changed(engine: Engine) -> None:
    """A burst makes exactly so many updates. They wait for the swap interval, unless a swap is forced."""
    engine.start("feed", env=QUIET)
    engine.wait(lambda: engine.request("feed", "status"))
    engine.cli("segment", "swap")  # from now on the swap interval, a day, keeps the next swap away
    before, cycle = counters(engine), closed(engine)
    assert engine.cli("synthetic", "burst", "25").stdout == "25 symbols tick at once\n"
    engine.wait(lambda: counters(engine)["updates"] == before["updates"] + 25, 10)
    assert closed(engine) == cycle
    assert engine.cli("segment", "swap").stdout == "swapped: 1 channel had updates to announce\n"
    assert closed(engine) == cycle + 1
    assert counters(engine)["flagged"] == before["flagged"] + 25
    assert engine.cli("segment", "swap").stdout == "swapped: 0 channels had updates to announce\n"
    assert closed(engine) == cycle + 1


def test_what_is_left_out_is_shown_by_symbol(engine: Engine, tmp_path: Path) -> None:
    """Late trades, doubles and impossible times of a recording, in the status, with the symbols that have them."""
    trades = [("LATE", 0, 0, 1), ("LATE", 61, 61, 2), ("LATE", 62, 5, 3), ("TWICE", 63, 63, 4), ("TWICE", 64, 63, 4)]
    trades.append(("AHEAD", 65, 3_600, 5))
    lines = []
    for symbol, received_s, at_s, trade_id in trades:
        message = {"e": "trade", "E": NOON_MS, "s": symbol, "t": trade_id, "p": "1", "q": "1"}
        message["T"] = NOON_MS + at_s * 1_000
        lines.append(json.dumps({"recv_ns": (NOON_MS + received_s * 1_000) * 1_000_000, "msg": message}))
    capture = tmp_path / "trades.jsonl"
    capture.write_text("\n".join(lines) + "\n")
    replay = {"TICKFLAG_REPLAY__RECORDINGS": json.dumps([str(capture)]), "TICKFLAG_REPLAY__SPEED": "0"}
    engine.start("feed", env={**QUIET, "TICKFLAG_FEED__SOURCE": "replay", **replay})
    kinds = {"late_ticks": {"LATE": 1}, "double_trades": {"TWICE": 1}, "impossible_times": {"AHEAD": 1}}
    engine.wait(lambda: engine.request("feed", "status")["left_out"] == kinds, what="all rows are played")
    shown = engine.cli("status").stdout
    assert "late for their candle, which was closed without them: 1 update (LATE 1)" in shown
    assert "trades that came twice and count once: 1 update (TWICE 1)" in shown
    assert "refused because their time is impossible: 1 update (AHEAD 1)" in shown
    engine.wait(lambda: "updates left out" in engine.output("feed"), what="the log says it")


def test_cleaning_up_after_a_crash(engine: Engine) -> None:
    """A killed feed leaves segment, pointer and sockets. doctor reports them; clean removes them, and says so once."""
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
