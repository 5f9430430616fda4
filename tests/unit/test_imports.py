"""Who may import whom. The layers of `common` are those that docs/architecture.md lists."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {"common", "services", "plugins", "scripts", "tests"}

LAYERS = (
    {"atomics", "clock", "errors", "jit", "layout", "log", "messages", "monitor", "prefetch"},
    {"bitset", "codec", "flags", "keys", "recordings", "runtime", "traderapi"},
    {"allowlist", "segment", "sockets"},
    {"blocks", "requests", "responder", "rows", "swap", "symbols"},
    {"follower", "intake", "settings"},
    {"lifecycle"},
    {"client"},
)
"""Modules and packages of `common`. An import goes to a layer further up in this list."""

MAY_USE_SERVICES = {
    # composes the cores of the others, without their sockets and processes
    "replay": ("services.feed", "services.trader", "services.collector"),
    "testing": ("services.feed", "services.trader", "services.collector", "services.replay"),
    "cli": ("services.replay", "services.testing", "services.feed.recordings", "services.trader.plugin"),
}


def _files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    """The modules a file imports, wherever it does, by their full names."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names if _is_module(f"{module}.{alias.name}"))


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return name.split(".")[0] in OURS and (path.with_suffix(".py").is_file() or (path / "__init__.py").is_file())


def _ours(path: Path) -> list[str]:
    return [name for name in _imports(path) if name.split(".")[0] in OURS]


def _within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def _part(name: str) -> str:
    """`swap` of `common.swap`, `traderapi` of `common.traderapi.views`."""
    return name.split(".")[1]


def _layer(part: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


def test_every_module_of_common_has_its_layer() -> None:
    """Each module and package of `common` stands in one layer, and no layer names what does not exist."""
    files = [*(ROOT / "common").glob("*.py"), *(path.parent for path in (ROOT / "common").glob("*/__init__.py"))]
    parts = {path.stem for path in files} - {"__init__"}
    assert sorted(parts) == sorted(part for layer in LAYERS for part in layer)


def test_the_architecture_page_lists_the_layers() -> None:
    """The page lists them in the same order."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    listed = re.findall(r"^  \d\. (.+)$", page, re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", line)) for line in listed] == list(LAYERS)


@pytest.mark.parametrize("path", _files("common"), ids=lambda path: str(path.relative_to(ROOT)))
def test_common_imports_only_lower_layers(path: Path) -> None:
    """`common` knows no service and no plugin, and nothing in it what rests on it."""
    here = path.relative_to(ROOT).with_suffix("").parts[1]
    for name in _ours(path):
        assert name.startswith("common"), f"common imports {name}"
        if name != "common" and _part(name) != here:
            assert _layer(_part(name)) < _layer(here), f"{here} imports {name}, which is no lower layer"


@pytest.mark.parametrize("path", _files("services"), ids=lambda path: str(path.relative_to(ROOT)))
def test_services_do_not_import_one_another(path: Path) -> None:
    """A service imports `common` and itself; replay composes cores, and the command line uses what it may."""
    service = path.relative_to(ROOT).parts[1]
    allowed = (f"services.{service}", *MAY_USE_SERVICES.get(service, ()))
    for name in _ours(path):
        if name not in ("common", "services") and not name.startswith("common."):
            assert any(_within(name, module) for module in allowed), f"services.{service} imports {name}"


@pytest.mark.parametrize("path", _files("plugins"), ids=lambda path: str(path.relative_to(ROOT)))
def test_plugins_see_only_the_trader_api(path: Path) -> None:
    """A shipped trader uses what a stranger's may use: the API, numpy, pydantic and the standard library."""
    for name in _imports(path):
        first = name.split(".")[0]
        known = first in ("numpy", "pydantic") or first in sys.stdlib_module_names or _within(name, "common.traderapi")
        assert known, f"{path.name} imports {name}"


def test_nothing_imports_scripts_or_tests() -> None:
    """Product code rests on neither, and tests do not rest on scripts."""
    for folder in ("common", "services", "plugins", "tests"):
        for path in _files(folder):
            forbidden = {"scripts"} if folder == "tests" else {"scripts", "tests"}
            found = {name.split(".")[0] for name in _imports(path)} & forbidden
            assert not found, f"{path.relative_to(ROOT)} imports {found}"


def test_imports_are_found_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain, from, of a module out of its package, relative, and inside a function."""
    (tmp_path / "services" / "feed").mkdir(parents=True)
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "layout.py").touch()
    file = tmp_path / "services" / "feed" / "service.py"
    lines = ("import a.b", "from common import layout, x", "from . import c", "from ..d import e", "def f(): import g")
    file.write_text("\n".join(lines))
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert list(_imports(file)) == ["a.b", "common", "common.layout", "services.feed", "services.d", "g"]
