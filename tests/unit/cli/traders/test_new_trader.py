"""`new-trader`: where it writes, and what it prints."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tickflag.common.runtime import Runtime


def test_it_goes_into_the_plugin_folder(
    runtime: Runtime, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output says what to do next."""
    folder = tmp_path / "mine"
    monkeypatch.setenv("TICKFLAG_TRADER__PLUGINS", str(folder))
    result = run("new-trader", "dip")
    assert result.exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["dip.py", "test_dip.py"]
    assert f"tickflag check {folder / 'dip.py'}" in result.stdout
    assert f"./scripts/test {folder / 'test_dip.py'}" in result.stdout


@pytest.mark.parametrize("installed", [True, False])
def test_the_command_that_tests_it_works(
    runtime: Runtime, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    """Outside of the repository it is that of this interpreter; where pytest is missing, the line before brings it."""
    monkeypatch.chdir(tmp_path)
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: (installed or None) if name == "pytest" else real(name)
    )
    lines = run("new-trader", "dip", "--folder", "mine").stdout.splitlines()
    assert lines[-1].strip() == f"{sys.executable} -m pytest mine/test_dip.py"
    assert (lines[-2].strip() == f"{sys.executable} -m pip install pytest") is not installed


def test_another_folder_and_template(runtime: Runtime, run: Run, tmp_path: Path) -> None:
    """Options choose both."""
    assert run("new-trader", "top", "--template", "market", "--folder", str(tmp_path)).exit_code == 0
    assert 'scope="market"' in (tmp_path / "top.py").read_text()


def test_mistakes(runtime: Runtime, run: Run, tmp_path: Path) -> None:
    """A bad name, or one that exists: exit code 1 and one line. An unknown template: 2."""
    place = ("--folder", str(tmp_path))
    for name, said in (("Dip", "is no trader's name"), ("dip", "")):
        result = run("new-trader", name, *place)
        assert (result.exit_code == 0) == (not said)
        assert said in result.stderr
    result = run("new-trader", "dip", *place)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "is there already" in result.stderr
    assert run("new-trader", "other", "--template", "magic", *place).exit_code == 2
