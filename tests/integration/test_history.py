"""Candles outlive a stop of the feed; a wrong setting ends its start."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.harnesses.engine import READY_S, Engine
from tickflag.common.segment.layout import CLOSE, TIME


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A feed of 20 busy symbols with candles of one second. It generates no history, and loads that of its
    last run."""
    env = {
        "TICKFLAG_SYNTHETIC__SYMBOLS": "20",
        "TICKFLAG_SYNTHETIC__HISTORY": "0",
        "TICKFLAG_SEGMENT__INTERVALS": '["1s", "1m"]',
        "TICKFLAG_FEED__WATERMARK_MS": "0",
        "TICKFLAG_FEED__HISTORY": '["last"]',
    }
    with Engine(tmp_path, env) as engine:
        yield engine


def _closes(engine: Engine, least: int) -> dict[str, dict[float, float]]:
    """Symbol -> opening time -> close, of the one-second candles; empty while no symbol has that many."""
    with engine.segment() as segment:
        arrays = segment.arrays
        heads = arrays.heads[0].copy()
        if heads.max() < least:
            return {}
        return {
            segment.names[slot].decode(): {
                arrays.rings[0, slot, TIME, i].item(): arrays.rings[0, slot, CLOSE, i].item()
                for i in range(min(int(heads[slot]), segment.layout.depth))
            }
            for slot in np.flatnonzero(heads)
        }


def test_candles_outlive_a_stop(engine: Engine) -> None:
    """The ring goes on from what it held before the stop; nothing else is left behind."""
    engine.start("feed")
    before = engine.wait(lambda: _closes(engine, 3), READY_S, "three candles")
    assert engine.stop("feed") == 0
    assert engine.leftovers() == ["candles.npz"]
    engine.start("feed")
    after = engine.wait(lambda: _closes(engine, 3), READY_S, "a segment")
    for symbol, candles in before.items():
        assert candles.items() <= after[symbol].items()


def test_a_recording_that_is_not_there_ends_the_start(engine: Engine) -> None:
    """One line names setting and file; nothing is left behind."""
    engine.start("feed", env={"TICKFLAG_FEED__HISTORY": '["nowhere.parquet"]'})
    assert engine.wait_exit("feed", READY_S) == 1
    assert "setting `feed.history`: nowhere.parquet: cannot be opened" in engine.output("feed")
    assert "Traceback" not in engine.output("feed")
    assert engine.leftovers() == []
