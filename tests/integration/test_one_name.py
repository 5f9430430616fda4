"""In the checkout, too, no process loads a file under two names: each is `tickflag....`, whatever the links are."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents.pages import ROOT
from tests.support.harnesses.engine import Engine, write_trader
from tests.support.processes.one_name import PROBE, loaded, told, wrong_names

pytestmark = pytest.mark.timeout(240)

IMPORT_ALL = """
import importlib, os, pkgutil, sys
import tickflag

walked = pkgutil.walk_packages(tickflag.__path__, "tickflag.")
names = [one.name for one in walked if not one.name.endswith(".__main__") and ".templates." not in one.name]
for name in names:
    if name != "tickflag.services.trader.supervisor.forkserver":  # freezes its process
        importlib.import_module(name)
print(len(names))
"""


def test_every_process_of_an_engine(tmp_path: Path) -> None:
    """True of feed, collector, supervisor and worker; a worker has what its fork server loaded."""
    folder = tmp_path / "told"
    folder.mkdir()
    env = {"PYTHONPATH": str(PROBE), "MODULE_NAMES": str(folder)}
    body = """\
        import sitecustomize

        @hookimpl
        def evaluate(market):
            sitecustomize.write_names()  # a worker may be killed before its exit
            return np.ones(len(market), bool)
    """
    write_trader(tmp_path / "traders", "all", body)
    with Engine(tmp_path / "engine", env, tmp_path / "traders") as engine:
        engine.start()
        engine.wait_ready()
        for service in ("trader", "collector", "feed"):
            assert engine.stop(service) == 0
        engine.wait_gone()
    processes = told(folder)
    commands = [" ".join(process["command"]) for process in processes]
    for part in ("services.feed", "services.collector", "services.trader", "forkserver"):
        assert any(part in command for command in commands), commands
    for process in processes:
        assert wrong_names(process["files"]) == {}, process["command"]


def test_every_module(tmp_path: Path) -> None:
    """A process that imports every module has each file once; none is imported relative to the current folder."""
    env = {"PYTHONPATH": str(PROBE), "MODULE_NAMES": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", IMPORT_ALL], cwd=ROOT, env=env, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    (process,) = told(tmp_path)
    assert wrong_names(process["files"]) == {}
    assert len([name for name in process["files"] if name.startswith("tickflag.")]) > 200
    assert int(done.stdout) > 200


def test_the_process_of_the_tests() -> None:
    """True of the process of the tests so far; at its end everything is checked once more."""
    assert wrong_names(loaded()) == {}


def test_wrong_names_are_found(tmp_path: Path) -> None:
    """The check finds a file of two names, a main module that is imported as well, and a wrong name. It accuses no file
    that is not ours."""
    file = str(tmp_path / "common" / "clock.py")
    folders = {tmp_path / "common": "tickflag"}
    files = {"tickflag.common.clock": file, "__mp_main__": file, "json": "/usr/lib/json.py"}
    assert wrong_names(files, folders) == {}
    assert wrong_names({**files, "common.clock": file}, folders) == {file: ["tickflag.common.clock", "common.clock"]}
    assert wrong_names({"common.clock": file}, folders) == {file: ["common.clock"]}
    assert wrong_names({**files, "__main__": file}, folders) == {file: ["tickflag.common.clock", "__main__"]}
