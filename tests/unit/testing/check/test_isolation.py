"""Guard: whatever a trader does to its process is a finding. Real processes."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from services.testing.finding import Finding
from services.testing.guard import guarded
from tests.support.trader_files import vector, written

LINE = 10  # of the first line in a hook's body


def ended(file: Path) -> Finding:
    """The last finding, which is a failure, and without a cost."""
    found = list(guarded(file, {}, 30.0))
    assert isinstance(found[-1], Finding)
    assert all(isinstance(one, Finding) and one.level == "ok" for one in found[:-1])
    assert found[-1].level == "fail"
    return found[-1]


def test_findings_and_cost_come_through(tmp_path: Path) -> None:
    """Of a trader that is well, with settings of its own, and whatever it prints."""
    body = "from pydantic import BaseModel\nclass Own(BaseModel):\n    above: float\n\n"
    body += "@hookimpl\ndef settings():\n    return Own\n\n"
    body += "@hookimpl\ndef evaluate(market, settings):\n    print('here')\n    return market.last > settings.above\n"
    *findings, cost, last = guarded(written(tmp_path, body), {"above": 1.5}, 30.0)
    assert isinstance(cost, dict) or isinstance(last, dict)
    assert {one.level for one in (*findings, cost, last) if isinstance(one, Finding)} == {"ok"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import os\nos._exit(0)\n", "with exit code 0"),
        ("import os\nos._exit(7)\n", "with exit code 7"),
        (vector("market.last > 1.0", "import os\nos._exit(3)"), "with exit code 3"),
        (vector("market.last > 1.0", "import ctypes\nctypes.string_at(0)"), f"died of SIGSEGV (line {LINE + 1})"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "died of SIGKILL"),
        ("import sys\nprint('told before', file=sys.stderr)\nimport os\nos.abort()\n", "died of SIGABRT"),
    ],
)
def test_a_trader_that_ends_its_process(body: str, said: str, tmp_path: Path) -> None:
    """At its import or in a call; with the status, and the line where that is known."""
    found = ended(written(tmp_path, body))
    assert found.check == "process"
    assert said in found.found


def test_traders_that_never_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is ended after the deadline, and the line where it was is told; one whose own watchdog cannot end it is
    ended from outside. They wait for their deadlines side by side."""
    monkeypatch.setattr("services.testing.guard.SPARE_S", 2.0)
    bodies = {
        "imports": "while True:\n    pass\n",
        "loops": vector("market.last > 1.0", "while True: pass"),
        "sleeps": vector("market.last > 1.0", "import time\ntime.sleep(1e6)"),
        "stopped": vector("market.last > 1.0", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
    }

    def last(name: str) -> Any:
        folder = tmp_path / name
        folder.mkdir()
        return list(guarded(written(folder, bodies[name]), {}, 4.0))[-1]

    with ThreadPoolExecutor(len(bodies)) as threads:
        for name, found in zip(bodies, threads.map(last, bodies), strict=True):
            assert isinstance(found, Finding), name
            assert (found.check, found.level) == ("process", "fail"), name
            line = "" if name == "stopped" else " (line "
            assert f"a call did not end within 4 s{line}" in found.found, name


def test_what_it_wrote_before_it_ended(tmp_path: Path) -> None:
    """The first lines, where no line of the file is known."""
    found = ended(written(tmp_path, "import os\nos.write(2, b'no licence\\n')\nos._exit(1)\n"))
    assert found.found == "it ended its process, with exit code 1; no licence"


def test_whoever_stops_listening_stops_it(tmp_path: Path) -> None:
    """The process is gone with the generator."""
    findings = guarded(written(tmp_path, vector("market.last > 1.0")), {}, 30.0)
    assert isinstance(next(findings), Finding)
    findings.close()  # type: ignore[attr-defined] # it is a generator
