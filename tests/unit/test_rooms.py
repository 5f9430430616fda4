"""Rooms stay small and say what they are for."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.documents.pages import ROOT

MOST_LINES = 300
MOST_FILES = 16
"""In a folder, besides its `__init__`. A folder with more is several folders."""
NO_NOUNS = {"utils", "util", "helpers", "helper", "misc", "manager", "common", "base"}

FILES = [path for part in ("common", "services", "plugins", "tickflag") for path in sorted((ROOT / part).rglob("*.py"))]
FOLDERS = sorted({path.parent for path in FILES if path.name == "__init__.py"})


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=_shown)
def test_a_file_holds_one_idea(path: Path) -> None:
    """It is short, named by a noun, and says in its first lines what it holds."""
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES, "split it: a file holds one noun"
    assert path.stem not in NO_NOUNS
    assert ast.get_docstring(ast.parse(text)), "the first lines say what the file holds"


@pytest.mark.parametrize("folder", FOLDERS, ids=_shown)
def test_a_folder_is_one_subject(folder: Path) -> None:
    """The folder has few files, and a name that a stranger knows."""
    files = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    assert len(files) <= MOST_FILES, f"{len(files)} files: they are several folders"
    if folder.parent != ROOT:
        assert folder.name not in NO_NOUNS


@pytest.mark.parametrize("folder", [one for one in FOLDERS if one.parent != ROOT], ids=_shown)
def test_a_folder_says_what_goes_in_and_out(folder: Path) -> None:
    """So a reader knows from its first lines whether to look further."""
    lines = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    assert re.search(r"\bIn: [^.]+\.\s.*\bOut: [^.]+\.", lines, re.DOTALL)


def test_no_two_classes_share_a_name() -> None:
    """Who reads a name knows which class is meant, with an underscore or without. Left out are templates, which users
    copy."""
    places: dict[str, list[str]] = {}
    for path in (path for path in FILES if path.parent.name != "templates"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.lstrip("_"), []).append(_shown(path))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
