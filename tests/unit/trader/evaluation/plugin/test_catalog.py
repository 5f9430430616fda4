"""All there is to run: files, packages, and instances of both."""

import sys
from pathlib import Path

import pytest

from tickflag.common.settings_schema.trader import TraderTable
from tickflag.services.trader.evaluation.plugin.catalog import Assignment, read_catalog


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plugin folder with three traders and files that are no traders."""
    for name in ("b.py", "a.py", "pack.py", "_helper.py", ".hidden.py", "notes.txt"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def packages(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with the entry points `pack` and `extra`."""
    site = tmp_path_factory.mktemp("site")
    info = site / "traders_of_mine-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: traders-of-mine\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text("[tickflag.traders]\nextra = mine.extra\npack = mine.pack\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])


def _labels(found: list[Assignment]) -> list[str]:
    return [assignment.label for assignment in found]


def test_files_run_once_under_their_declared_name(folder: Path) -> None:
    """Files come in the order of their names; a folder that is missing has none."""
    found = read_catalog(folder, {})
    assert found[0] == Assignment("a.py", "a", folder / "a.py")
    assert _labels(found) == ["a.py", "b.py", "pack.py"]
    assert read_catalog(folder / "missing", {}) == []


def test_packages_come_after_files(folder: Path, packages: None) -> None:
    """Packages come by their entry points; a file of the same name replaces an entry point."""
    found = read_catalog(folder, {})
    assert _labels(found) == ["a.py", "b.py", "pack.py", "extra (mine.extra)"]
    assert found[-1].shown_source == "mine.extra"
    (folder / "pack.py").unlink()
    assert _labels(read_catalog(folder, {}))[2:] == ["extra (mine.extra)", "pack (mine.pack)"]


def test_a_package_that_cannot_be_read_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other packages are read; a package that names no traders is ignored."""
    for name, text in {"bad": "[tickflag.traders]\nno value\n", "other": "[console_scripts]\nno value\n"}.items():
        info = tmp_path / "site" / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(text)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "site")])
    found = read_catalog(folder, {})
    assert _labels(found) == ["package bad", "a.py", "b.py", "pack.py"]
    assert found[0].fault.startswith("package bad: its entry points cannot be read: ")


def test_tables_are_instances(folder: Path, packages: None) -> None:
    """Each table is one trader, under its name; the file does not run besides. A table without a source has the source
    of its own name."""
    tables = {
        "slow": TraderTable(source="a", settings={"period": 28}),
        "fast": TraderTable(source="a", enabled=False),
        "b": TraderTable(),
        "mine": TraderTable(source="extra"),
    }
    found = read_catalog(folder, tables)
    assert _labels(found) == ["traders.slow", "traders.fast", "traders.b", "traders.mine", "pack.py"]
    assert found[0] == Assignment("traders.slow", "a", folder / "a.py", "slow", {"period": 28})
    other = Assignment("traders.slow", "a", folder / "a.py", "slow", {"period": 29})
    assert found[1].settings_digest == "" != found[0].settings_digest != other.settings_digest
    assert not found[1].enabled
    assert found[2].source == folder / "b.py"
    assert found[3].shown_source == "mine.extra"


def test_an_unknown_source_is_named(folder: Path) -> None:
    """The error has table, key, and the sources there are."""
    found = read_catalog(folder, {"fast": TraderTable(source="rsi"), "rest": TraderTable()})
    assert found[0].fault == "traders.fast.source: no trader file or entry point 'rsi'; there are a, b, pack"
    assert found[1].fault.startswith("traders.rest.source: no trader file or entry point 'rest'")
    assert found[0].source is None
    assert found[0].shown_source == ""
    assert "there are none" in read_catalog(folder / "missing", {"fast": TraderTable()})[0].fault
