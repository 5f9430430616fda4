"""Traders that installed packages bring: their modules, versions and faults, and what is forgotten of them."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from tickflag.common.errors import PluginError
from tickflag.services.trader.evaluation.plugin import loading
from tickflag.services.trader.evaluation.plugin.loading import described, forget
from tickflag.services.trader.evaluation.plugin.plugin import load_plugin

Install = Callable[[str], EntryPoint]

GOOD = """
    from tickflag import Trader, hookimpl
    from traders_of_mine.helper import LIMIT

    @hookimpl
    def trader():
        return Trader(name="pack")

    @hookimpl
    def evaluate(market):
        return market.last > LIMIT
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package of one trader, version 1.5, and give its entry point."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(text: str) -> EntryPoint:
        package = tmp_path / "traders_of_mine"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "helper.py").write_text("LIMIT = 1.0")
        (package / "pack.py").write_text(textwrap.dedent(text))
        info = tmp_path / "traders_of_mine-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: traders-of-mine\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text("[tickflag.traders]\npack = traders_of_mine.pack\n")
        return EntryPoint("pack", "traders_of_mine.pack", "tickflag.traders")

    yield install
    for name in [name for name in sys.modules if name.startswith("traders_of_mine")]:
        del sys.modules[name]


def test_its_version_is_the_packages(install: Install) -> None:
    """The version stays known when the entry point, on its way to a worker, loses its package."""
    plugin = load_plugin(install(GOOD))
    assert (plugin.trader.name, plugin.version, plugin.helpers) == ("pack", "1.5", ())


def test_without_a_package_there_is_no_version(install: Install) -> None:
    """An entry point that no installed package names has no version."""
    entry = install(GOOD)
    assert load_plugin(EntryPoint("other", entry.value, entry.group)).version == ""


def test_a_package_that_does_not_import_is_refused(install: Install) -> None:
    """The refusal has entry point, module and what the module raised."""
    with pytest.raises(PluginError, match=r"^pack \(traders_of_mine.pack\): does not import: ZeroDivisionError: "):
        load_plugin(install("1 / 0"))


def test_forgotten_it_is_imported_anew(install: Install) -> None:
    """All modules of the package are imported anew, and no others; running traders keep theirs."""
    entry = install(GOOD)
    load_plugin(entry)
    before = dict(sys.modules)
    forget(entry)
    gone = before.keys() - sys.modules.keys()
    assert gone == {"traders_of_mine", "traders_of_mine.helper", "traders_of_mine.pack"}
    load_plugin(entry)
    assert all(sys.modules[name] is not before[name] for name in gone)


def test_helpers_beside_a_file_are_forgotten_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The helpers beside the file are forgotten, and no other module."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "_shared_by_mine.py").write_text("LIMIT = 1.0")
    path = tmp_path / "mine.py"
    path.write_text(textwrap.dedent(GOOD.replace("traders_of_mine.helper", "_shared_by_mine")))
    plugin = load_plugin(path)
    assert [helper.name for helper in plugin.helpers] == ["_shared_by_mine.py"]
    before = set(sys.modules)
    forget(path)
    assert before - set(sys.modules) == {"_shared_by_mine"}


def test_a_builtin_flag_is_no_traders_own(install: Install) -> None:
    """A trader that declares a built-in feature flag is refused at load; the error names the flag."""
    text = GOOD.replace('name="pack"', 'name="pack", flags={"audit": True}')
    with pytest.raises(PluginError, match="the feature flag 'audit' is built in, and no trader's own"):
        load_plugin(install(text))


def test_an_error_whose_words_raise() -> None:
    """The text of an error is the plugin's code too, and may raise."""

    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert described(MuteError()) == "MuteError: (without words: its `__str__` raises)"


def test_of_several_entry_points_the_one_with_a_package_counts(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry point that somebody made by hand has none."""
    entry = install(GOOD)
    installed = list(entry_points(group=entry.group, name=entry.name, value=entry.value))
    monkeypatch.setattr(loading, "entry_points", lambda **_names: [entry, *installed])
    assert load_plugin(entry).version == "1.5"
