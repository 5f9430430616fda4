"""Who may import whom. The layers of `common` are those that docs/architecture.md lists."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documents.markdown import code, plain, section

ROOT = Path(__file__).resolve().parents[2]
OURS = {"tickflag", "plugins", "scripts", "tests"}
LINKED = ("common", "services")
"""Folders that are imported below `tickflag`."""

LAYERS = (
    {"arrays", "clock", "errors", "jit", "kept_switch", "limits", "probe", "streams", "units"},
    {"histogram", "log", "login_code", "quantities", "recordings", "runtime"},
    {"segment", "wire"},
    {"flags", "protocol", "settings_schema", "traderapi"},
    {"settings"},
    {"diagnosis", "lifecycle"},
    {"client"},
)
"""Modules and packages of `common`, by layer. Imports go only to layers further up in this list."""

MAY_USE_SERVICES = {
    # composes the cores of the others, without their sockets and processes
    "replay": ("feed.turn", "feed.market", "feed.recordings", "trader.evaluation", "collector.views"),
    "testing": ("feed.turn", "feed.market", "trader.evaluation", "replay"),
    "cli": ("replay", "testing", "feed.recordings", "trader.evaluation"),
}

SEE_PUBLIC_NAMES = ("services/testing/templates/*", "services/trader/evaluation/plugin/former_imports.py")
"""Code written for users, or code that tells them what to write. All other code of ours imports from the modules
themselves."""

PUBLIC_HOMES = ("common.traderapi", "common.client", "common.errors", "services.testing")
"""What `tickflag` gives to users comes from here."""

NAME_FORMER_MODULES = (
    "services/trader/evaluation/plugin/former_imports.py",
    "tests/unit/trader/evaluation/plugin/test_former_imports.py",
    "tests/integration/test_one_name.py",
    "tests/unit/test_imports.py",
)
"""Files whose subject are modules named without `tickflag`: what they hold as a text is not imported."""


STARTED = {"services/dashboard/web/bundle.py": "tickflag.services.cli"}
"""Files that start a module as a process of its own, and do not import it."""


def _files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _imports(path: Path, texts: bool = True) -> Iterator[str]:
    """The modules a file imports, wherever it does, by their full names; those named in texts, too, if `texts`."""
    package = path.relative_to(ROOT).parent.parts
    if package[0] in LINKED:
        package = ("tickflag", *package)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names if _is_module(f"{module}.{alias.name}"))
        elif texts and isinstance(node, ast.Constant) and isinstance(node.value, str):
            # What `import_module`, an entry point or the fork server is given; an f-string begins with its package.
            name = node.value.rstrip(".")
            if "." in node.value and name != "tickflag" and re.fullmatch(r"[\w.]+", name) and _is_module(name):
                yield name


def _is_module(name: str) -> bool:
    """A module of ours, also one that is named without the `tickflag` in front."""
    path = ROOT.joinpath(*name.removeprefix("tickflag.").split("."))
    ours = name.split(".")[0] in {*OURS, *LINKED}
    return ours and (path.with_suffix(".py").is_file() or (path / "__init__.py").is_file())


def _ours(path: Path) -> list[str]:
    started = STARTED.get(str(path.relative_to(ROOT)))
    named = [name for name in _imports(path) if name != started or name in _imports(path, texts=False)]
    return [name for name in named if name.split(".")[0] in OURS]


def _within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def _part(name: str) -> str:
    """`settings` of `tickflag.common.settings`, `traderapi` of `tickflag.common.traderapi.views`."""
    return name.split(".")[2]


def _layer(part: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


def test_every_module_of_common_has_its_layer() -> None:
    """Each module and package of `common` is in one layer, and every name in a layer exists."""
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
    """`common` imports no service and no plugin, and no module of it a higher layer."""
    here = path.relative_to(ROOT).with_suffix("").parts[1]
    for name in _ours(path):
        assert _within(name, "tickflag.common"), f"common imports {name}"
        if name != "tickflag.common" and _part(name) != here:
            assert _layer(_part(name)) < _layer(here), f"{here} imports {name}, which is no lower layer"


@pytest.mark.parametrize("path", _files("services"), ids=lambda path: str(path.relative_to(ROOT)))
def test_services_do_not_import_one_another(path: Path) -> None:
    """A service imports `common` and itself; replay composes cores, and the command line uses what the table allows."""
    service = path.relative_to(ROOT).parts[1]
    allowed = [f"tickflag.services.{part}" for part in (service, *MAY_USE_SERVICES.get(service, ()))]
    public = any(path.match(pattern) for pattern in SEE_PUBLIC_NAMES)
    for name in _ours(path):
        if not _within(name, "tickflag.common") and not (public and name == "tickflag"):
            assert any(_within(name, module) for module in allowed), f"services.{service} imports {name}"


@pytest.mark.parametrize("service", MAY_USE_SERVICES)
def test_no_service_may_use_what_it_does_not(service: str) -> None:
    """Each permission is used, or it goes."""
    used = {name for path in _files(f"services/{service}") for name in _imports(path)}
    unused = {
        part for part in MAY_USE_SERVICES[service] if not any(_within(one, f"tickflag.services.{part}") for one in used)
    }
    assert unused == set()


def test_the_public_names_come_from_few_places() -> None:
    """`tickflag` itself imports what users need, and nothing else of ours."""
    for name in _ours(ROOT / "tickflag" / "__init__.py"):
        assert any(_within(name, f"tickflag.{home}") for home in PUBLIC_HOMES), f"tickflag imports {name}"


@pytest.mark.parametrize("path", _files("plugins"), ids=lambda path: str(path.relative_to(ROOT)))
def test_plugins_see_only_the_trader_api(path: Path) -> None:
    """A shipped trader uses what a user's trader may use: the API, numpy, pydantic and the standard library."""
    for name in _imports(path):
        first = name.split(".")[0]
        known = first in ("numpy", "pydantic") or first in sys.stdlib_module_names or name == "tickflag"
        assert known, f"{path.name} imports {name}"


@pytest.mark.parametrize("folder", ["common", "services", "plugins", "tests", "tickflag"])
def test_nothing_imports_what_is_no_part_of_it(folder: str) -> None:
    """Product code imports neither scripts nor tests; tests do not import scripts; the folders behind the links are
    imported only below `tickflag`."""
    forbidden = {*LINKED, "scripts"} if folder == "tests" else {*LINKED, "scripts", "tests"}
    for path in _files(folder) if folder != "tickflag" else [ROOT / "tickflag" / "__init__.py"]:
        texts = not any(path.match(one) for one in NAME_FORMER_MODULES)
        found = {name.split(".")[0] for name in _imports(path, texts)} & forbidden
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


def test_the_architecture_page_lists_who_may_use_whom() -> None:
    """The page has the table of services that are made of parts of others."""
    rows = section((ROOT / "docs" / "architecture.md").read_text(), "Import rule").rows
    listed = {plain(row["Service"]): tuple(code(row["Uses"])) for row in rows}
    assert listed == MAY_USE_SERVICES


def test_imports_are_found_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All forms are found: plain, from, a module from its package, relative, inside a function, by a text or the
    beginning of one."""
    (tmp_path / "services" / "feed").mkdir(parents=True)
    (tmp_path / "services" / "cli").mkdir(parents=True)
    (tmp_path / "services" / "cli" / "__init__.py").touch()
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "clock.py").touch()
    file = tmp_path / "services" / "feed" / "service.py"
    lines = (
        "import a.b",
        "from tickflag.common import clock, x",
        "from . import c",
        "from ..d import e",
        "def f(): import g",
        "import_module('tickflag.common.clock')",
        "import_module(f'tickflag.services.cli.{name}')",
        "import_module('common.clock')",
        "import_module('services.cli')",
        "import_module(f'services.cli.{name}')",
        "'tickflag.traders', 'see tickflag.common.clock', 'tickflag'",
    )
    file.write_text("\n".join(lines))
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    found = ["a.b", "tickflag.common", "tickflag.common.clock", "tickflag.services.feed", "tickflag.services.d", "g"]
    found += ["tickflag.common.clock", "tickflag.services.cli", "common.clock", "services.cli", "services.cli"]
    assert sorted(_imports(file)) == sorted(found)
