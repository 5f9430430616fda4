"""The documents name files and modules that exist."""

import re
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.documents.markdown import code, code_blocks, section
from tests.support.documents.pages import PAGES, ROOT, page, shown

FOLDERS = ("common", "services", "plugins", "configs", "tests", "scripts", "docs", "tickflag", ".ci")
EXAMPLES = {"plugins/dip.py", "plugins/near_high.py"}
"""Files that a reader makes by following a page."""


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_files_exist(path: Path) -> None:
    """Every path below a folder of the repository, or below the page's own folder, exists; a pattern finds
    something."""
    for text in code(path.read_text()):
        first, slash, _ = text.removeprefix("./").partition("/")
        if not first or not slash or not re.fullmatch(r"[\w./*-]+", text) or text in EXAMPLES:
            continue
        folder = ROOT if first in FOLDERS else path.parent
        if (folder / first).is_dir():
            assert list(folder.glob(text.rstrip("/"))), f"{text}: no such file"


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_modules_and_their_names_exist(path: Path) -> None:
    """Everything called `tickflag....`, in text and in commands, can be imported or is a name in a module."""
    text = path.read_text()
    spans = [*code(text), *(line for block in code_blocks(text, "sh") for line in block.splitlines())]
    for name in {found for span in spans for found in re.findall(r"\btickflag(?:\.\w+)+", span)}:
        if name not in ("tickflag.sources", "tickflag.traders"):  # groups of entry points
            assert _exists(name), f"{name}: no such module or name"


def test_every_room_is_in_the_table() -> None:
    """Each package is in the table of rooms, itself or with a parent package; the table names no other."""
    rooms = {one.rstrip("/") for row in section(page("architecture.md"), "Rooms").rows for one in code(row["Folder"])}
    folders = [path.parent for part in ("common", "services") for path in (ROOT / part).glob("*/**/__init__.py")]
    for folder in folders:
        parents = {str(one.relative_to(ROOT)) for one in (folder, *folder.parents) if ROOT in one.parents}
        assert parents & rooms, f"{folder} is in no room"
    services = {path.parent.name for path in (ROOT / "services").glob("*/__init__.py")}
    assert services == {room.split("/")[1] for room in rooms if room.startswith("services/")}
    packages = {path.parent.name for path in (ROOT / "common").glob("*/__init__.py")}
    assert packages == {room.split("/")[1] for room in rooms if room.startswith("common/")}


def test_where_to_change_names_files() -> None:
    """Each row names at least one file, and the page that describes it."""
    rows = section(page("architecture.md"), "Where to change").rows
    assert len(rows) > 20
    for row in rows:
        assert any("/" in text for text in code(row["Look in"])), row
        assert "](" in row["Say it in"], row


def _exists(name: str) -> bool:
    """Whether a module has this name, or something in a module has. The module of the name itself is not imported: the
    fork server's would change this process."""
    with suppress(ModuleNotFoundError):  # no package is named before the last dot
        if find_spec(name) is not None:
            return True
    parent, _, last = name.rpartition(".")
    return hasattr(import_module(parent), last)
