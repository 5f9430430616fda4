"""The pytest plugin, as a user has it: real pytest in a process of its own, in a folder of its own."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from services.testing.template import TEMPLATES, make_trader

TRADER = """
from pydantic import BaseModel
from common.traderapi import *

class Own(BaseModel):
    above: float = 10.0

@hookimpl
def settings():
    return Own

@hookimpl
def trader(settings):
    return Trader(name="above", score_step=5.0)

@hookimpl
def evaluate_symbol(symbol, settings):
    if symbol.last == 13.0:
        raise ValueError("bad luck")
    if symbol.last == 21.0:
        return symbol.last, "of age"
    return symbol.last if symbol.last > settings.above else None
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def outcome(folder: Path, body: str, name: str = "test_it.py") -> subprocess.CompletedProcess[str]:
    """What pytest makes of a test of the trader above."""
    (folder / "above.py").write_text(TRADER)
    (folder / name).write_text("import pytest\n" + body)
    return run_pytest(folder)


def test_it_is_registered() -> None:
    """Under a name by which it can be left out, `-p no:tickflag`."""
    (entry,) = entry_points(group="pytest11", name="tickflag")
    assert entry.value == "services.testing.plugin"


def test_it_costs_other_projects_nothing(tmp_path: Path) -> None:
    """Where no test asks for a fixture, nothing of ours but the plugin is imported."""
    test = (
        "import sys\ndef test():\n    assert not {'numba', 'common.settings', 'services.feed'} & sys.modules.keys()\n"
    )
    (tmp_path / "test_other.py").write_text(test)
    assert run_pytest(tmp_path).returncode == 0


def test_steps_tell_what_changed(tmp_path: Path) -> None:
    """Entered, left and moved, through the real protocol; and what matches."""
    result = outcome(
        tmp_path,
        """
def test(market, load_trader):
    trader = load_trader("above.py")
    assert trader.trader.name == "above"
    market.tick("A", last=11.0)
    market.tick("B", last=9.0)
    step = trader.step()
    assert (step.entered, step.left, step.scores) == ({"A": 11.0}, set(), {})
    assert trader.step().entered == {}
    market.tick("A", last=12.0)  # less than `score_step`
    market.tick("B", last=20.0)
    step = trader.step()
    assert (step.entered, step.scores) == ({"B": 20.0}, {})
    assert trader.matches == {"A": 12.0, "B": 20.0}
    market.tick("A", last=5.0)
    market.tick("B", last=40.0)
    step = trader.step()
    assert (step.left, step.scores) == ({"A"}, {"B": 40.0})

def test_notes(market, load_trader):
    trader = load_trader("above.py")
    market.tick("A", last=21.0)
    assert trader.step().notes == {"A": "of age"}

def test_two_traders_at_one_market(market, load_trader):
    low, high = load_trader("above.py", {"above": 1.0}), load_trader("above.py", settings={"above": 100.0})
    market.tick("A", last=11.0)
    assert set(low.step().entered) == {"A"}
    assert high.step().entered == {}
""",
    )
    assert result.returncode == 0, result.stdout


def test_faults_are_raised(tmp_path: Path) -> None:
    """What a hook raises, what it may not be set to, what the feed does not keep, and a file that is not there."""
    result = outcome(
        tmp_path,
        """
def test(market, load_trader):
    from common.errors import PluginError
    trader = load_trader("above.py")
    market.tick("A", last=13.0)
    with pytest.raises(PluginError, match="bad luck") as caught:
        trader.step()
    assert isinstance(caught.value.__cause__, ValueError)
    market.tick("A", last=14.0)
    assert trader.step().entered == {"A": 14.0}
    with pytest.raises(PluginError, match="no such setting"):
        load_trader("above.py", {"below": 1})
    with pytest.raises(FileNotFoundError, match="nowhere.py"):
        load_trader("nowhere.py")
    import pathlib
    file = pathlib.Path(__file__).with_name("often.py")
    file.write_text(pathlib.Path(__file__).with_name("above.py").read_text().replace("score_step=5.0", "channel='7m'"))
    with pytest.raises(PluginError, match="no channel '7m'"):
        load_trader(file)
""",
    )
    assert result.returncode == 0, result.stdout


def test_files_beside_the_test_come_before_those_of_the_root(tmp_path: Path) -> None:
    """A relative path starts at the test; what is not there is looked for at the root folder."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tests").mkdir()
    body = "def test(load_trader):\n    assert load_trader('above.py').trader.name == {!r}\n"
    (tmp_path / "tests" / "test_root.py").write_text(body.format("above"))
    (tmp_path / "above.py").write_text(TRADER)
    assert run_pytest(tmp_path).returncode == 0
    (tmp_path / "tests" / "above.py").write_text(TRADER.replace('"above"', '"beside"'))
    (tmp_path / "tests" / "test_root.py").write_text(body.format("beside"))
    assert run_pytest(tmp_path).returncode == 0


def test_a_failed_comparison_shows_both_sides(tmp_path: Path) -> None:
    """pytest's own comparison works on what a step gives."""
    body = "def test(market, load_trader):\n    market.tick('A', last=11.0)\n"
    body += "    assert load_trader('above.py').step().entered == {'B': 1.0}\n"
    result = outcome(tmp_path, body)
    assert result.returncode == 1
    assert "{'A': 11.0}" in result.stdout


def test_a_projects_own_fixtures_come_first(tmp_path: Path) -> None:
    """One that is called `market` there is that project's."""
    body = "@pytest.fixture\ndef market():\n    return 3\n\ndef test(market):\n    assert market == 3\n"
    assert outcome(tmp_path, body).returncode == 0


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_pass_their_tests(template: str, tmp_path: Path) -> None:
    """As they are written, and as tools for style and types want them."""
    folder = tmp_path / "plugins"
    _, test = make_trader("deep.dip-2", template, folder)
    result = run_pytest(folder, "-W", "error", test.name)
    assert result.returncode == 0, result.stdout
