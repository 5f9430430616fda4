"""The pytest plugin as a user has it: real pytest in a process and a folder of its own."""

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tickflag.services.testing.template import TEMPLATES, make_trader

TRADER = """
from pydantic import BaseModel
from tickflag import *

class Own(BaseModel):
    above: float = 10.0

@hookimpl
def settings():
    return Own

@hookimpl
def trader(settings):
    return Trader(name="above", score_step=5.0, flags={"never": False})

@hookimpl
def evaluate_symbol(symbol, settings):
    if symbol.on("never"):
        return None
    if symbol.last == 13.0:
        raise ValueError("bad luck")
    if symbol.last == 21.0:
        return symbol.last, "of age"
    return symbol.last if symbol.last > settings.above else None
"""

TESTS = """
import pathlib
import pytest

BESIDE = pathlib.Path(__file__).parent

def test_flags_are_as_declared_or_as_given(market, load_trader):
    market.tick("A", last=11.0)
    assert load_trader("above.py").step().entered == {"A": 11.0}
    assert load_trader("above.py", flags={"never": True}).step().entered == {}
    with pytest.raises(Exception, match="no feature flag 'ever': known are per_symbol_tracking, .*, never"):
        load_trader("above.py", flags={"ever": True})

def test_steps_tell_what_entered_left_and_moved(market, load_trader):
    trader = load_trader("above.py")
    assert trader.trader.name == "above"
    market.tick("A", last=11.0)
    market.tick("B", last=9.0)
    step = trader.step()
    assert (step.entered, step.left, step.scores, step.notes) == ({"A": 11.0}, set(), {}, {})
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

def test_its_pace_is_kept(market, load_trader):
    (BESIDE / "slow.py").write_text((BESIDE / "above.py").read_text().replace("score_step", "min_interval"))
    trader = load_trader("slow.py")
    market.tick("A", last=11.0)
    assert set(trader.step().entered) == {"A"}
    market.tick("B", last=11.0)
    assert not trader.step().entered
    market.advance(5.0)
    assert set(trader.step().entered) == {"B"}

def test_two_traders_at_one_market(market, load_trader):
    low, high = load_trader("above.py", {"above": 1.0}), load_trader("above.py", settings={"above": 100.0})
    market.tick("A", last=11.0)
    assert set(low.step().entered) == {"A"}
    assert high.step().entered == {}

def test_faults_are_raised(market, load_trader):
    from tickflag.common.errors import PluginError
    trader = load_trader("above.py")
    market.tick("A", last=13.0)
    with pytest.raises(PluginError, match="bad luck") as caught:
        trader.step()
    assert isinstance(caught.value.__cause__, ValueError)
    market.tick("A", last=14.0)
    assert trader.step().entered == {"A": 14.0}
    with pytest.raises(PluginError, match="no such setting"):
        load_trader("above.py", {"below": 1})
    file = BESIDE / "often.py"
    file.write_text((BESIDE / "above.py").read_text().replace("score_step=5.0", "channel='7m'"))
    with pytest.raises(PluginError, match="no channel '7m'"):
        load_trader(file)

def test_a_file_that_is_not_there(load_trader):
    with pytest.raises(FileNotFoundError, match="nowhere.py"):
        load_trader("nowhere.py")

def test_a_file_of_the_root_folder(load_trader):
    assert load_trader("root.py").trader.name == "root"

def test_a_failed_comparison(market, load_trader):
    market.tick("A", last=11.5)
    assert load_trader("above.py").step().entered == {"B": 1.0}

class TestOwnFixture:
    @pytest.fixture
    def market(self):
        return 3

    def test_it_comes_first(self, market):
        assert market == 3
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of pytest on the tests above, with the trader beside them and another of the same name in the root
    folder."""
    root = tmp_path_factory.mktemp("project")
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / "root.py").write_text(TRADER.replace('"above"', '"root"'))
    (root / "above.py").write_text("raise AssertionError('the one beside the test comes first')\n")
    beside = root / "tests"
    beside.mkdir()
    (beside / "above.py").write_text(TRADER)
    (beside / "test_it.py").write_text(TESTS)
    return run_pytest(root, "-v").stdout


@pytest.mark.parametrize("name", re.findall(r"def (test_\w+)", TESTS))
def test_fixtures(name: str, output: str) -> None:
    """Each of the tests above passes, except one, which shows both sides of its comparison."""
    if name == "test_a_failed_comparison":
        assert f"::{name} FAILED" in output
        assert "{'A': 11.5}" in output
    else:
        assert f"::{name} PASSED" in output, output


def test_it_is_registered() -> None:
    """The name makes `-p no:tickflag` possible."""
    (entry,) = entry_points(group="pytest11", name="tickflag")
    assert entry.value == "tickflag.services.testing.plugin"


def test_it_costs_other_projects_nothing(tmp_path: Path) -> None:
    """Where no test asks for a fixture, only the plugin module of ours is imported."""
    heavy = {"numba", "tickflag.common", "tickflag.services.feed"}
    test = f"import sys\ndef test():\n    assert not {heavy} & sys.modules.keys()\n"
    (tmp_path / "test_other.py").write_text(test)
    assert run_pytest(tmp_path).returncode == 0


def test_templates_pass_their_tests(tmp_path: Path) -> None:
    """They pass as written, side by side in one folder."""
    for template in TEMPLATES:
        make_trader(f"deep.{template}-2", template, tmp_path)
    result = run_pytest(tmp_path, "-q")
    assert result.returncode == 0, result.stdout
    assert "9 passed" in result.stdout
