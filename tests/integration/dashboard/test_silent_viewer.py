"""A viewer that stops reading, at a real engine, for as long as a laptop takes to sleep and wake."""

import json
import time
from contextlib import ExitStack

import psutil
import pytest

from tests.support.harnesses.dashboard import start_dashboard
from tests.support.harnesses.engine import Engine, write_trader
from tests.support.harnesses.silent_viewer import rest, silent_viewer
from tests.support.processes.waiting import allowed_s, wait_until

SYMBOLS = 5_000
SILENT_S = 30.0
SILENT = 10
MB = 1 << 20
WINDOW = {"count": SYMBOLS}


@pytest.mark.soak
def test_viewers_that_read_nothing_for_30_s_cost_no_memory(engine: Engine) -> None:
    """Each is sent 5,000 rows at a time and reads nothing: the process grows by less than one answer each, another
    viewer gets its answers all the while, and the silent ones are hung up."""
    engine.plugins = engine.folder / "plugins"
    write_trader(engine.plugins, "price", "@hookimpl\ndef evaluate(market):\n    return market.last > 0, market.last\n")
    engine.env |= {
        "TICKFLAG_TRADER__PLUGINS": str(engine.plugins),
        "TICKFLAG_SYNTHETIC__SYMBOLS": str(SYMBOLS),
        "TICKFLAG_SEGMENT__CAPACITY": str(SYMBOLS),
    }
    engine.start()
    engine.wait_ready()
    engine.wait(lambda: len(engine.matches("price")) == SYMBOLS, what="every symbol matches")
    site = start_dashboard(engine)
    process = psutil.Process(engine.pid("dashboard"))
    with site.viewer(max_size=None) as reader, ExitStack() as stack:
        reader.recv(allowed_s(60))
        reader.send(json.dumps({"op": "subscribe", "id": 1, "topic": "matches", "arguments": WINDOW}))
        sizes = [len(reader.recv(allowed_s(60))) for _ in range(20)]
        answer = max(sizes)
        assert answer > MB // 4
        before = process.memory_info().rss
        silent = [stack.enter_context(silent_viewer(site, "matches", WINDOW)) for _ in range(SILENT)]
        grown, gaps, last_s = [], [], time.monotonic()
        until_s = last_s + SILENT_S
        while time.monotonic() < until_s:
            reader.recv(allowed_s(10))
            gaps.append(time.monotonic() - last_s)
            last_s = time.monotonic()
            grown.append(process.memory_info().rss - before)
        assert max(grown) < SILENT * answer + 8 * MB
        assert max(gaps) < allowed_s(5)
        assert all(rest(one) < SILENT_S * answer for one in silent)
        wait_until(lambda: process.num_fds() < 40, what="the connections are closed")
