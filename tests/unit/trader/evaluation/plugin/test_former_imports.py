"""Traders that import `common` or `services` as top-level packages are told the line to write."""

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes.one_name import path_as_installed
from tickflag.common.errors import PluginError
from tickflag.services.trader.evaluation.plugin.former_imports import advice
from tickflag.services.trader.evaluation.plugin.loading import forget
from tickflag.services.trader.evaluation.plugin.plugin import load_plugin

HOOKS = """
@hookimpl
def trader():
    return Trader(name="mine")

@hookimpl
def evaluate(market):
    return market.last > LIMIT
"""


@pytest.fixture(autouse=True)
def _as_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep this repository's folders from being top-level packages, as they are none where tickflag is installed."""
    monkeypatch.setattr(sys, "path", path_as_installed())
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("common", "services", "_shared"):
            del sys.modules[name]


def refusal(folder: Path, **files: str) -> str:
    """The reason why `mine.py`, with the files beside it, does not load."""
    for name, text in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    with pytest.raises(PluginError) as raised:
        load_plugin(folder / "mine.py")
    forget(folder / "mine.py")
    return str(raised.value)


@pytest.mark.parametrize(
    ("line", "now"),
    [
        ("from common.traderapi import Market, sma", "from tickflag import Market, sma"),
        ("from common.traderapi import sma as mean", "from tickflag import sma as mean"),
        ("from common.traderapi import *", "from tickflag import *"),
        ("from common.traderapi.indicators import sma", "from tickflag import sma"),
        ("from common.client import attach", "from tickflag import attach"),
        ("import common.traderapi as api", "import tickflag as api"),
        ("import common.traderapi", "import tickflag"),
        ("from common import traderapi", "from tickflag.common import traderapi"),
        ("from common.segment.layout import TICKER", "from tickflag.common.segment.layout import TICKER"),
        ("import json, common.clock", "import json, tickflag.common.clock"),
        ("from services.testing.market import ManualMarket", "from tickflag import ManualMarket"),
        (
            "from common.traderapi.hooks import hookimpl, hookspec",
            "from tickflag import hookimpl; from tickflag.common.traderapi.hooks import hookspec",
        ),
    ],
)
def test_the_line_to_write(line: str, now: str, tmp_path: Path) -> None:
    """The given line imports the same names: from `tickflag` what users need, the rest from its own module."""
    assert refusal(tmp_path, mine=f"\n{line}\n{HOOKS}") == f"mine.py: does not import: line 2: `{line}` is now `{now}`"
    exec(now, {})


def test_an_import_over_several_lines(tmp_path: Path) -> None:
    """The error names the line at which the statement begins."""
    said = refusal(tmp_path, mine="import json\nfrom common.traderapi import (\n    Market,\n    sma,\n)\n")
    assert said.endswith("line 2: `from common.traderapi import Market, sma` is now `from tickflag import Market, sma`")


def test_a_helper_beside_the_trader(tmp_path: Path) -> None:
    """The error names the helper's file."""
    helper = "'''Shared.'''\nfrom common.traderapi import sma\n"
    said = refusal(tmp_path, _shared=helper, mine="import _shared\n")
    line = "`from common.traderapi import sma` is now `from tickflag import sma`"
    assert said == f"mine.py: does not import: _shared.py line 2: {line}"


def test_an_import_within_a_hook(tmp_path: Path) -> None:
    """The error is the same, raised when the hook is called."""
    said = refusal(
        tmp_path,
        mine="""
            from tickflag import hookimpl

            @hookimpl
            def trader():
                from common.traderapi import Trader
                return Trader(name="mine")

            @hookimpl
            def evaluate(market):
                return market.last > 1.0
        """,
    )
    line = "`from common.traderapi import Trader` is now `from tickflag import Trader`"
    assert said == f"mine.py: hook `trader` raised line 6: {line}"


def test_a_package_of_the_users_own_that_has_what_is_asked_for(tmp_path: Path) -> None:
    """The package is the user's, whatever its modules are called: the trader loads."""
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "__init__.py").write_text("LIMIT = 2.0\n")
    (tmp_path / "common" / "client.py").write_text("ABOVE = 1.0\n")
    lines = "from common import LIMIT\nfrom common.client import ABOVE\nfrom tickflag import Trader, hookimpl\n"
    (tmp_path / "mine.py").write_text(lines + HOOKS)
    assert load_plugin(tmp_path / "mine.py").trader.name == "mine"


def test_a_package_of_the_users_own_that_hides_ours(tmp_path: Path) -> None:
    """Names that only our package has are answered with the line to write; for other names the error is Python's
    own."""
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "__init__.py").touch()
    (tmp_path / "common" / "client.py").touch()
    for line in ("from common.traderapi import sma", "from common.client import attach"):
        name = line.split()[-1]
        assert refusal(tmp_path, mine=f"{line}\n").endswith(f"`{line}` is now `from tickflag import {name}`")
    assert "No module named 'common.models'" in refusal(tmp_path, mine="from common.models import Order\n")
    assert "No module named 'common.models'" in refusal(tmp_path, mine="import common.models.order\n")


def test_errors_of_another_kind() -> None:
    """Other errors get no such line."""
    assert advice(ValueError("common.traderapi")) == ""
    assert advice(ImportError("no reason")) == ""
    assert advice(ModuleNotFoundError("nothing was at work", name="common.traderapi")) == ""


@pytest.mark.parametrize("now", [None, "import (", "import json\n", "__import__('common.traderapi')\n"])
def test_a_statement_that_is_not_found(now: str | None, tmp_path: Path) -> None:
    """Where the file is gone, was changed or imports in another way, the error is Python's own."""
    file = tmp_path / "gone.py"
    with pytest.raises(ModuleNotFoundError) as raised:
        exec(compile("\nimport common.traderapi", file, "exec"))
    if now is not None:
        file.write_text(now)
    assert advice(raised.value, str(file)) == ""


def test_a_relative_import(tmp_path: Path) -> None:
    """A relative import names no package of ours, whatever its error says."""
    file = tmp_path / "relative.py"
    file.write_text("from .common.traderapi import sma\n")
    with pytest.raises(ImportError) as raised:
        exec(compile(file.read_bytes(), file, "exec"), {"__package__": "nowhere"})
    raised.value.name = "common.traderapi"
    assert advice(raised.value, str(file)) == ""


def test_a_module_that_we_never_had_is_no_former_one(tmp_path: Path) -> None:
    """Python's own words are told, also where the package would be ours."""
    said = refusal(tmp_path, mine="import common.no_such.module\n" + HOOKS)
    assert said == "mine.py: does not import: ModuleNotFoundError: No module named 'common' (line 1)"
