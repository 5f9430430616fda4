"""The wheel, installed beside a project that has packages `common`, `services`, `plugins` and `tests` of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.documents.pages import ROOT
from tests.support.harnesses.engine import STOP_S, Engine
from tests.support.harnesses.installation import Installation, build_wheels, install
from tests.support.processes.one_name import OURS, told, wrong_names

pytestmark = pytest.mark.timeout(240)

OWN_PACKAGE = """
import os

if os.environ.get("TRAP"):
    raise RuntimeError(f"{__name__} of the project was imported in place of ours")
LIMIT = 10.0
"""

TRADER = '''
"""High: the price is above ten."""

import sitecustomize

from tickflag import Market, Trader, hookimpl, sma


@hookimpl
def trader() -> Trader:
    return Trader(name="high")


@hookimpl
def evaluate(market: Market):
    sitecustomize.write_names()  # a worker may be killed before its exit
    return market.last > 10.0
'''

FORMER = """
from common.traderapi import Market, sma
"""
LINES = "line 2: `from common.traderapi import Market, sma` is now `from tickflag import Market, sma`"
TOLD = f"former.py: does not import: {LINES}"

TESTS = {
    "test_own.py": """
import common, plugins, services, tests

def test_the_projects_own_packages():
    assert common.LIMIT == plugins.LIMIT == services.LIMIT == tests.LIMIT == 10.0
""",
    "test_high.py": """
import pytest

from common import LIMIT
from tickflag import LoadTrader, ManualMarket, TickflagError

def test_matches(market: ManualMarket, load_trader: LoadTrader) -> None:
    high = load_trader("plugins/high.py")
    market.tick("A", last=LIMIT + 1.0)
    market.tick("B", last=LIMIT - 1.0)
    assert high.step().entered == {"A": 1.0}

def test_former(load_trader: LoadTrader) -> None:
    with pytest.raises(TickflagError) as raised:
        load_trader("plugins/former.py")
    assert str(raised.value) == TOLD
""".replace("TOLD", repr(TOLD)),
}

TYPED = """
import tickflag
from tickflag import LoadTrader, ManualMarket, Market, Trader, attach, hookimpl, save_recording, sma

@hookimpl
def trader() -> Trader:
    return Trader(name="typed")

@hookimpl
def evaluate(market: Market):  # type: ignore[no-untyped-def] # its answer may be of many types
    reveal_type(market.last)
    reveal_type(sma(market.candles.close, 3))
    return market.last

reveal_type(trader())
reveal_type(Trader(name="x").name)
reveal_type(attach())
reveal_type(tickflag.attach)
reveal_type(tickflag.__version__)
Trader(name=1)
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel built from the sources, and the wheel built from the sdist."""
    return build_wheels(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def installed(wheels: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel in an environment of its own."""
    return install(wheels[0], tmp_path_factory.mktemp("installed"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's project with a trader, an outdated trader, and tests."""
    folder = tmp_path / "project"
    for package in ("common", "services", "plugins", "tests"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text(OWN_PACKAGE)
    (folder / "plugins" / "high.py").write_text(TRADER)
    (folder / "plugins" / "former.py").write_text(FORMER)
    for name, text in TESTS.items():
        (folder / "tests" / name).write_text(text)
    return folder


@pytest.fixture
def trapped(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project, set up so that none of its modules may replace what the engine imports."""
    for name in ("numpy", "zmq", "queue", "click"):
        (project / f"{name}.py").write_text("raise RuntimeError('a file of the current folder was imported')\n")
    return project


def check_names(installed: Installation) -> list[list[str]]:
    """Check that each process loaded every file of ours under one name, and none of the checkout's; gives the
    commands."""
    folders = {installed.packages / "tickflag": "tickflag", **dict.fromkeys(OURS, "none of these")}
    processes = told(Path(installed.env["MODULE_NAMES"]))
    for process in processes:
        assert wrong_names(process["files"], folders) == {}, process["command"]
    assert processes
    return [process["command"] for process in processes]


def test_site_packages_gain_one_name(installed: Installation, wheels: tuple[Path, Path]) -> None:
    """Only `tickflag` can be imported, with its types; nothing else in the wheel or beside it can."""
    folders = {path.name for path in installed.packages.iterdir() if path.suffix not in (".dist-info", ".pth")}
    assert folders == {"tickflag"}
    names = zipfile.ZipFile(wheels[0]).namelist()
    assert {name.split("/")[0] for name in names} == {
        "tickflag",
        f"{'-'.join(wheels[0].name.split('-')[:2])}.dist-info",
    }
    missing = {"py.typed", "services/testing/templates/vector.py"}
    missing |= {f"services/replay/study/{name}" for name in ("chart.html", "chart_scale.js", "chart_page.js")}
    assert {f"tickflag/{name}" for name in missing} <= set(names)


def test_the_wheel_has_every_file(wheels: tuple[Path, Path]) -> None:
    """The wheel has every file, also by way of the sdist, where the links have become folders."""
    names = {name for name in zipfile.ZipFile(wheels[0]).namelist() if ".dist-info" not in name}
    assert names == {name for name in zipfile.ZipFile(wheels[1]).namelist() if ".dist-info" not in name}
    sources = {path.relative_to(ROOT) for part in ("common", "services") for path in (ROOT / part).rglob("*.py")}
    expected = {f"tickflag/{path}" for path in sources} | {"tickflag/__init__.py"}
    assert {name for name in names if name.endswith(".py")} == expected


@pytest.mark.parametrize("command", ["start", "honcho"])
def test_the_engine(command: str, installed: Installation, trapped: Path, tmp_path: Path) -> None:
    """The engine runs the project's traders, refuses the outdated one with the line to write, and ends as it should."""
    commands: Mapping[str, list[str]] = {
        "start": [str(installed.bin / "tickflag"), "start"],
        "honcho": [str(installed.python), "-P", "-m", "honcho", "start"],
    }
    if command == "honcho":
        shutil.copy(ROOT / "Procfile", trapped)
    env = {**installed.env, "TICKFLAG_TRADER__PLUGINS": "plugins", "TRAP": "1"}
    with Engine(tmp_path / "engine", env, trapped / "plugins") as engine:
        in_project = 'cd "$0" && exec "$@"'
        engine.spawn(command, "sh", "-c", in_project, str(trapped), *commands[command])
        engine.wait_ready(but={"former"})
        engine.wait(lambda: engine.trader("high")["state"] == "running")
        engine.wait(lambda: TOLD in json.dumps(engine.request("collector", "traders")), what="the trader is refused")
        if command == "start":
            engine.send(command, signal.SIGTERM)
        else:
            os.killpg(engine.pid(command), signal.SIGINT)
        assert engine.wait_exit(command, STOP_S) in (0, 130)
        engine.wait_gone()
    processes = [" ".join(command) for command in check_names(installed)]
    for service in ("feed", "collector", "trader"):
        assert any(f"tickflag.services.{service}" in one for one in processes), processes
    assert any("forkserver" in one for one in processes), processes  # a worker, with all modules of its fork server


def test_check(installed: Installation, trapped: Path) -> None:
    """A trader passes its checks; an outdated one gets the line to write."""
    good = installed.run(trapped, "tickflag", "check", "plugins/high.py", TRAP="1")
    assert good.returncode == 0, good.stdout + good.stderr
    bad = installed.run(trapped, "tickflag", "check", "plugins/former.py", TRAP="1")
    assert bad.returncode == 1
    assert LINES in bad.stdout, bad.stdout + bad.stderr
    assert any("tickflag.services.testing.check.isolation" in command for command in check_names(installed))


def test_replay(installed: Installation, trapped: Path) -> None:
    """A recording runs through a trader; an outdated one gets the line to write."""
    recording = str(ROOT / "tests" / "recordings" / "ticks_generated.parquet")
    arguments = ("tickflag", "replay", recording, "--json", "--traders")
    good = installed.run(trapped, *arguments, "plugins/high.py", TRAP="1")
    assert good.returncode == 0, good.stdout + good.stderr
    assert '"high"' in good.stdout
    bad = installed.run(trapped, *arguments, "plugins/former.py", TRAP="1")
    assert bad.returncode == 1
    assert TOLD in bad.stdout + bad.stderr
    check_names(installed)


@pytest.mark.parametrize("arguments", [(), ("-p", "no:tickflag"), ("tests/test_own.py",)], ids=" ".join)
def test_pytest(arguments: tuple[str, ...], installed: Installation, project: Path) -> None:
    """The project's tests import its own packages; where they ask for fixtures of ours, they get them."""
    run = installed.run(project, "python", "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments)
    passed = {(): "3 passed", ("-p", "no:tickflag"): "1 passed, 2 errors"}.get(arguments, "1 passed")
    assert f" {passed} in " in run.stdout.replace("=", ""), run.stdout + run.stderr
    check_names(installed)


def test_a_program(installed: Installation, project: Path, tmp_path: Path) -> None:
    """`import tickflag` costs nothing, and its names are there. `common` is the project's; without a project there is
    none."""
    program = """
import sys
import tickflag
assert not {"numpy", "zmq", "tickflag.common"} & set(sys.modules)
assert set(tickflag.__all__) <= set(dir(tickflag))
assert all(getattr(tickflag, name) is not None for name in tickflag.__all__)
assert callable(tickflag.attach) and callable(tickflag.save_recording)
import common
print(tickflag.__version__, common.LIMIT)
"""
    run = installed.run(project, "python", "-c", program)
    assert run.stdout == "0.1.0 10.0\n", run.stderr
    for name in ("common", "services", "plugins"):
        assert f"No module named '{name}'" in installed.run(tmp_path, "python", "-c", f"import {name}").stderr
    check_names(installed)


def test_its_types(installed: Installation, project: Path) -> None:
    """A strict type checker knows what a user's trader imports, and finds a mistake in it."""
    (project / "typed.py").write_text(TYPED)
    options = ["--strict", "--python-executable", str(installed.python), "--cache-dir", str(project / "cache")]
    mypy = subprocess.run(
        [sys.executable, "-P", "-m", "mypy", *options, "typed.py"],
        cwd=project, env={**installed.env, "PYTHONPATH": ""}, capture_output=True, text=True,
    )  # fmt: skip
    said = mypy.stdout + mypy.stderr
    revealed = [line.partition("Revealed type is ")[2].strip('"') for line in said.splitlines() if "Revealed" in line]
    assert len(revealed) == 7, said
    assert not any(one == "Any" for one in revealed), said
    assert sum(" error: " in line for line in said.splitlines()) == 1, said
    assert 'Argument "name" to "Trader" has incompatible type "int"' in said
