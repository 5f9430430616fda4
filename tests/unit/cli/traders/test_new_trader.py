"""`new-trader`: where it writes to, and what it says."""

from pathlib import Path

import pytest

from common.runtime import Runtime

from .conftest import Run


def test_it_goes_into_the_plugin_folder(
    runtime: Runtime, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says what to do next."""
    folder = tmp_path / "mine"
    monkeypatch.setenv("TICKFLAG_TRADER__PLUGINS", str(folder))
    result = run("new-trader", "dip")
    assert result.exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["dip.py", "test_dip.py"]
    assert f"tickflag check {folder / 'dip.py'}" in result.stdout
    assert f"pytest {folder / 'test_dip.py'}" in result.stdout


def test_another_folder_and_template(runtime: Runtime, run: Run, tmp_path: Path) -> None:
    """As asked for."""
    assert run("new-trader", "top", "--template", "market", "--folder", str(tmp_path)).exit_code == 0
    assert 'scope="market"' in (tmp_path / "top.py").read_text()


def test_mistakes(runtime: Runtime, run: Run, tmp_path: Path) -> None:
    """A name that cannot be, and one that is there: exit code 1 and one line; a template that is none: 2."""
    place = ("--folder", str(tmp_path))
    for name, said in (("Dip", "is no trader's name"), ("dip", "")):
        result = run("new-trader", name, *place)
        assert (result.exit_code == 0) == (not said)
        assert said in result.stderr
    result = run("new-trader", "dip", *place)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "is there already" in result.stderr
    assert run("new-trader", "other", "--template", "magic", *place).exit_code == 2
