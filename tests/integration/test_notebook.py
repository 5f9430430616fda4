"""The notebook page's code against a running engine."""

import json
import os
import sys
import textwrap
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import pytest

from tests.support.documents.markdown import code_blocks
from tests.support.documents.pages import page
from tests.support.harnesses.engine import READY_S, Engine
from tests.support.processes.waiting import allowed_s
from tickflag import MatchSets, attach, follow


def test_the_page_runs_as_it_stands(engine: Engine) -> None:
    """Every call gives a frame that is not empty."""
    engine.start()
    engine.wait_ready()
    engine.wait(lambda: len(engine.signals()) > 100 and engine.matches("rsi"), READY_S, "signals and matches")
    blocks = [block for block in code_blocks(page("notebook.md"), "python") if "attach" in block]
    plain, program = blocks
    names: dict[str, Any] = {}
    with patch.dict(os.environ, engine.env, clear=True):
        _run_without_data_frames(plain)
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


def _run_without_data_frames(program: str) -> None:
    """The page begins with what needs no library that does not come with Tickflag."""
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patched:
        for absent in ("pandas", "polars"):
            patched.setitem(sys.modules, absent, None)
        exec(compile(program, "notebook.py", "exec"), names)
    assert len(names["cheap"]) > 0
    assert len(names["best"]) == 10
    assert len(names["spread"]) == 50
    assert names["per_trader"]["rsi"] > 0
    names["client"].close()


def test_the_examples_of_following_run(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The docstring's example adds up the matches. The page's program keeps its place, goes on there, and ends where
    nothing comes for long."""
    engine.start()
    engine.wait_ready()
    monkeypatch.chdir(tmp_path)
    (program,) = [block for block in code_blocks(page("notebook.md"), "python") if "follow(place)" in block]
    example = textwrap.dedent((follow.__doc__ or "").partition("started later.\n\n")[2])
    names: dict[str, Any] = {}
    with patch.dict(os.environ, engine.env, clear=True):
        exec(compile(example, "follow.py", "exec"), names)
        assert "rsi" in names["matching"]
        with attach() as client, client.follow() as follower:
            assert isinstance(follower.wait_event(allowed_s(READY_S)), MatchSets)
        engine.stop("trader")  # no more signals come
        for _ in range(2):
            shorter = program.replace("timeout_s=60", f"timeout_s={allowed_s(3)}")
            exec(compile(shorter, "place.py", "exec"), names)
    assert names["place"] is not None
    assert json.loads((tmp_path / "place.json").read_text()) == names["follower"].place.to_dict()
