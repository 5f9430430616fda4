"""The notebook page's code against a running engine."""

import os
from typing import Any
from unittest.mock import patch

import pandas as pd
import pytest

from common.client import attach
from tests.support.engine import READY_S, Engine
from tests.support.markdown import code_blocks
from tests.support.pages import page

pytestmark = pytest.mark.timeout(240)


def test_the_page_runs_as_it_stands(engine: Engine) -> None:
    """Every call gives a frame with something in it."""
    engine.start()
    engine.wait_ready()
    engine.wait(lambda: len(engine.signals()) > 100 and engine.matches("rsi"), READY_S, "signals and matches")
    (program,) = [block for block in code_blocks(page("notebook.md"), "python") if "attach()" in block]
    names: dict[str, Any] = {}
    with patch.dict(os.environ, engine.env, clear=True):
        exec(compile(program, "notebook.py", "exec"), names)
        with attach(frame="numpy") as client:
            assert len(client.market()["symbol"]) > 0
    frames = {name: value for name, value in names.items() if isinstance(value, pd.DataFrame | pd.Series)}
    assert set(frames) == {
        "market", "cheap", "candles", "every", "spread", "now", "best", "recent", "later", "slow",
    }  # fmt: skip
    assert len(frames["market"]) == len(frames["spread"]) == 300
    assert len(frames["candles"]) == 50
    assert len(frames["every"]) == 300 * 100
    assert {"rsi", "top-movers"} <= set(frames["now"]["trader"])
    assert len(frames["recent"]) == 100
    names["client"].close()
