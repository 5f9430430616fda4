"""New traders: their names, files and contents."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents.pages import ROOT
from tickflag.common.errors import TickflagError
from tickflag.services.testing.template import FOLDER, TEMPLATES, make_trader
from tickflag.services.trader.evaluation.plugin.catalog import trader_files
from tickflag.services.trader.evaluation.plugin.plugin import load_plugin


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_trader_has_its_name(template: str, tmp_path: Path) -> None:
    """The file's name, its text and its test have it; the trader loads, and its test is not taken for a trader."""
    made = make_trader("deep.dip-2", template, tmp_path / "new" / "folder")
    assert [path.name for path in made] == ["deep_dip_2.py", "test_deep_dip_2.py"]
    assert load_plugin(made[0]).trader.name == "deep.dip-2"
    assert not any("my-trader" in path.read_text() or "my_trader" in path.read_text() for path in made)
    assert [path.name for path in trader_files(tmp_path / "new" / "folder")] == ["deep_dip_2.py"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Neither the trader nor its test is overwritten; where one exists, the other is not written."""
    for name in ("dip.py", "test_dip.py"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(TickflagError, match=f"{name} is there already"):
            make_trader("dip", "minimal", tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [name]
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()


@pytest.mark.parametrize("name", ["", "Dip", "_dip", "a b", "../dip", "ä", "x" * 65, "test_dip", "test-dip", "a/b"])
def test_names_that_no_trader_can_have(name: str, tmp_path: Path) -> None:
    """The error has the name, and comes before anything is written."""
    with pytest.raises(TickflagError, match="is no trader's name"):
        make_trader(name, "minimal", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """One line names the folder."""
    (tmp_path / "file").touch()
    with pytest.raises(TickflagError, match=r"cannot write to .*file"):
        make_trader("dip", "minimal", tmp_path / "file")


def test_every_template_is_offered() -> None:
    """Each template is a trader and its test."""
    names = {f"{template}.py" for template in TEMPLATES}
    assert {path.name for path in FOLDER.glob("*.py")} == names | {f"test_{name}" for name in names}


def test_they_please_ruff_and_mypy(tmp_path: Path) -> None:
    """The generated files pass with the settings of this project."""
    for number, template in enumerate(TEMPLATES):
        make_trader(f"new-{number}", template, tmp_path)
    settings = str(ROOT / "pyproject.toml")
    for tool in (("ruff", "check", "--config", settings), ("ruff", "format", "--check", "--config", settings)):
        result = subprocess.run(
            [sys.executable, "-m", *tool, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout
    command = [sys.executable, "-m", "mypy", "--config-file", settings, *map(str, sorted(tmp_path.glob("*.py")))]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
