"""The dashboard beside the engine: it never ends the others, and says why it is not there."""

import signal
import socket
import stat
from pathlib import Path

import pytest

from tests.support.harnesses.dashboard import start_dashboard
from tests.support.harnesses.engine import READY_S, STOP_S, Engine
from tests.support.processes.commands import PYTHON, tickflag_command
from tickflag.common.runtime import ServedAddress

BLOCKED = """
import runpy, sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name == {package!r}:
            raise {error}

sys.meta_path.insert(0, Nothing())
runpy.run_module("tickflag.services.dashboard", run_name="__main__", alter_sys=True)
"""


def blocked(folder: Path, package: str, error: str = "ModuleNotFoundError('none', name=name)") -> list[str]:
    """The command of a dashboard that finds a package missing, or broken."""
    path = folder / "blocked.py"
    path.write_text(BLOCKED.format(package=package, error=error))
    return [*PYTHON, str(path)]


@pytest.mark.parametrize(
    ("package", "error"),
    [
        ("starlette", "ModuleNotFoundError('none', name=name)"),
        ("uvicorn", "ModuleNotFoundError('none', name=name)"),
        ("websockets", "RuntimeError('broken')"),
    ],
)
def test_without_the_extra_it_idles(engine: Engine, package: str, error: str) -> None:
    """One warning says what to install; the process stays until it is ended, so that it ends no other."""
    engine.spawn("dashboard", *blocked(engine.folder, package, error), env={"TICKFLAG_DASHBOARD__PORT": "8087"})
    served = ServedAddress(engine.runtime, "dashboard")
    engine.wait(lambda: served.read() == "", what="it tells that it is not served")
    output = engine.output("dashboard")
    assert output.count("\n") == 1
    assert "no dashboard" in output
    assert f"{package} does not import" in output
    assert "pip install 'tickflag[dashboard]'" in output
    shown = engine.cli("dashboard")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert engine.stop("dashboard") == 0
    assert not served.path.exists()


@pytest.mark.parametrize("setting", [{"TICKFLAG_DASHBOARD__ENABLED": "false"}, {"TICKFLAG_DASHBOARD__PORT": "0"}])
def test_switched_off_it_idles(engine: Engine, setting: dict[str, str]) -> None:
    """It needs none of its packages then, and makes no token."""
    env = {"TICKFLAG_DASHBOARD__PORT": "8087", **setting}
    engine.spawn("dashboard", *blocked(engine.folder, "uvicorn"), env=env)
    served = ServedAddress(engine.runtime, "dashboard")
    engine.wait(lambda: served.read() == "", what="it tells that it is not served")
    assert "it is switched off" in engine.output("dashboard")
    assert not (engine.runtime.folder / "dashboard.token").exists()


def test_an_engine_on_another_machine_is_not_shown(engine: Engine) -> None:
    """The dashboard needs the segment. One line says so and what to do; no port is opened; it does not end."""
    endpoint = "tcp://engine.example.org:7711"
    engine.start("dashboard", env={"TICKFLAG_DASHBOARD__PORT": "8087", "TICKFLAG_REMOTE__CONNECT": endpoint})
    served = ServedAddress(engine.runtime, "dashboard")
    engine.wait(lambda: served.read() == "", what="it tells that it is not served")
    output = engine.output("dashboard")
    assert output.count("\n") == 1
    assert f"`remote.connect` names {endpoint}" in output
    assert "unset `remote.connect`, or look at the dashboard over there: `ssh -L 8087:127.0.0.1:8087 MACHINE`" in output
    assert not (engine.runtime.folder / "dashboard.token").exists()
    assert engine.stop("dashboard") == 0


def test_a_busy_port_is_no_trouble(engine: Engine) -> None:
    """The next free one is used, and told everywhere. The token is its owner's only."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        site = start_dashboard(engine, TICKFLAG_DASHBOARD__PORT=str(taken))
    assert int(site.url.rpartition(":")[2]) > taken
    assert "dashboard port taken" in engine.output("dashboard")
    assert site.get("/healthz").text == "alive\n"
    assert engine.cli("dashboard").stdout.startswith(f"address    {site.url}\n")
    assert stat.S_IMODE((engine.runtime.folder / "dashboard.token").stat().st_mode) == 0o600
    ready = site.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["reasons"]


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"TICKFLAG_DASHBOARD__HOST": "0.0.0.0"}, "opens the dashboard to other machines, which needs TLS"),
        ({"TICKFLAG_DASHBOARD__TOKEN_FILE": "/"}, "token file /: Is a directory: set `dashboard.token_file`"),
        ({"TICKFLAG_DASHBOARD__TLS_CERT": "/none"}, "setting `dashboard.tls_key`: TLS needs a certificate and its key"),
    ],
)
def test_what_is_not_safe_is_refused(engine: Engine, env: dict[str, str], words: str) -> None:
    """One plain line, and no socket is opened."""
    engine.start("dashboard", env={"TICKFLAG_DASHBOARD__PORT": "8087", **env})
    assert engine.wait_exit("dashboard", READY_S) == 1
    output = engine.output("dashboard")
    assert output.startswith("dashboard: ")
    assert words in output
    assert output.count("\n") == 1


def test_the_start_names_the_address_and_goes_on_without(engine: Engine) -> None:
    """The first words name it; a dashboard that is killed ends no other process, and the stop ends the rest."""
    engine.spawn("start", *tickflag_command("start"), env={"TICKFLAG_DASHBOARD__PORT": "18087"})
    engine.wait_ready()
    engine.wait(lambda: "the dashboard is at http://127.0.0.1:18" in engine.output("start"), what="the first words")
    pid = engine.holder("dashboard")
    assert pid
    _kill(pid)
    engine.wait(lambda: "the others go on without dashboard.1" in engine.output("start"), what="the others go on")
    engine.request("collector", "status")
    assert engine.cli("dashboard").returncode == 1
    stopped = engine.cli("stop")
    assert stopped.stdout.startswith("stopped: ")
    assert engine.wait_exit("start", STOP_S) == 0
    assert engine.cli("segment", "clean").returncode == 0
    engine.wait_gone()


def test_the_stop_ends_a_dashboard_that_is_alone(engine: Engine) -> None:
    """`tickflag stop` names it, with viewers connected too; nothing is left."""
    site = start_dashboard(engine)
    with site.viewer() as viewer:
        viewer.recv(60)
        assert "dashboard (pid" in engine.cli("stop").stdout
    assert engine.wait_exit("dashboard") == 0
    engine.wait_gone()


def _kill(pid: int) -> None:
    import os

    os.kill(pid, signal.SIGKILL)
