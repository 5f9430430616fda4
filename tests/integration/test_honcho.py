"""`honcho start` in the repository: the local way to run everything."""

import os
import signal
import sys
import time
from pathlib import Path

from tests.support.documents.pages import ROOT
from tests.support.harnesses.engine import STOP_S, Engine


def test_honcho_starts_and_stops_everything(engine: Engine) -> None:
    """The Procfile brings up a whole engine; after Ctrl-C nothing is left within 5 s."""
    assert (ROOT / "Procfile").is_file()
    honcho = Path(sys.executable).parent / "honcho"
    engine.spawn("honcho", str(honcho), "start")
    engine.wait_ready()
    began = time.monotonic()
    os.killpg(engine.pid("honcho"), signal.SIGINT)
    assert engine.wait_exit("honcho") == 130  # the exit code with which honcho reports a SIGINT
    engine.wait_gone(began + STOP_S - time.monotonic())
    for service in ("feed", "collector", "trader"):
        assert f"{service}.1 stopped (rc=0)" in engine.output("honcho").replace("\x1b[0m", "")
