"""Isolation: whatever a trader does to its process is a finding. Real processes."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.markets.trader_files import vector, written
from tests.support.processes.waiting import allowed_s
from tickflag.services.testing.check.finding import Finding
from tickflag.services.testing.check.isolation import isolated

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process this way")
LINE = 10  # the first line in a hook's body


def ended(file: Path) -> Finding:
    """The last finding, which is a failure; there is no cost."""
    found = list(isolated(file, {}, 30.0, 1024))
    assert isinstance(found[-1], Finding)
    assert all(isinstance(one, Finding) and one.level == "ok" for one in found[:-1])
    assert found[-1].level == "fail"
    return found[-1]


def test_findings_and_cost_come_through(tmp_path: Path) -> None:
    """The trader is well, has settings of its own, and prints."""
    body = "from pydantic import BaseModel\nclass Own(BaseModel):\n    above: float\n\n"
    body += "@hookimpl\ndef settings():\n    return Own\n\n"
    body += "@hookimpl\ndef evaluate(market, settings):\n    print('here')\n    return market.last > settings.above\n"
    *findings, cost, last = isolated(written(tmp_path, body), {"above": 1.5}, 30.0, 1024)
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
    """It ends at its import or in a call; the finding has the status, and the line where that is known."""
    found = ended(written(tmp_path, body))
    assert found.check == "process"
    assert said in found.found


def test_traders_that_never_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each trader is ended after the deadline, and the finding has its line. A process whose own watchdog cannot end it
    is killed from outside. All wait for their deadlines side by side."""
    monkeypatch.setattr("tickflag.services.testing.check.isolation.SPARE_S", allowed_s(4.0))
    bodies = {
        "imports": "while True:\n    pass\n",
        "loops": vector("market.last > 1.0", "while True: pass"),
        "sleeps": vector("market.last > 1.0", "import time\ntime.sleep(1e6)"),
        "stopped": vector("market.last > 1.0", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
    }

    def last(name: str) -> Any:
        folder = tmp_path / name
        folder.mkdir()
        return list(isolated(written(folder, bodies[name]), {}, 4.0, 1024))[-1]

    with ThreadPoolExecutor(len(bodies)) as threads:
        for name, found in zip(bodies, threads.map(last, bodies), strict=True):
            assert isinstance(found, Finding), name
            assert (found.check, found.level) == ("process", "fail"), name
            line = "" if name == "stopped" else " (line "
            assert f"a call did not end within 4 s{line}" in found.found, name


def test_what_it_wrote_before_it_ended(tmp_path: Path) -> None:
    """The first lines of its output are given where no line of the file is known."""
    found = ended(written(tmp_path, "import os\nos.write(2, b'no licence\\n')\nos._exit(1)\n"))
    assert found.found == "it ended its process, with exit code 1; no licence"


def test_whoever_stops_listening_stops_it(tmp_path: Path) -> None:
    """The process ends with the generator."""
    findings = isolated(written(tmp_path, vector("market.last > 1.0")), {}, 30.0, 1024)
    assert isinstance(next(findings), Finding)
    findings.close()  # type: ignore[attr-defined] # it is a generator


KEEPS = "import builtins\nimport numpy as np\nkept = builtins.__dict__.setdefault('kept', [])\n"


@pytest.mark.parametrize(
    ("body", "said", "advice"),
    [
        (
            vector("market.last > 1.0", "__import__('builtins').kept.append(np.ones(1 << 20))"),
            "MB of memory, of 64 (`trader.memory_limit_mb`)",
            "in the engine its process would be ended then",
        ),
        (
            "kept += [np.ones(1 << 20) for _ in range(20)]\n",
            "MB of memory, of 64 (`trader.memory_limit_mb`)",
            "keep less",
        ),
        pytest.param(
            vector("market.last > 1.0", "np.ones(1 << 36)"),
            "raised MemoryError: Unable to allocate",
            "allocations fail at 4 times `trader.memory_limit_mb`",
            marks=LINUX,
        ),
    ],
)
def test_a_greedy_trader(body: str, said: str, advice: str, tmp_path: Path) -> None:
    """The engine's limit ends it, whichever run of the check takes how much, at the import too; the finding names the
    limit."""
    file = written(tmp_path, KEEPS + body)
    found = [one for one in isolated(file, {}, 30.0, 64) if isinstance(one, Finding)][-1]
    assert found.level == "fail"
    assert said in found.found
    assert advice in found.do
