"""The page asks at once for all that it needs before a view: no module waits until another one was read."""

import re
from pathlib import Path

from tests.support.documents.pages import ROOT

STATIC = ROOT / "services/dashboard/static"


def _imported(path: Path) -> set[Path]:
    """The modules that this one imports before it runs."""
    names = re.findall(r"""\b(?:from|import)\s*["'](\.{1,2}/[^"']+)["']""", path.read_text())
    return {(path.parent / name).resolve() for name in names}


def test_every_module_before_a_view_is_preloaded() -> None:
    """What `app.js` imports, and what that imports, stands in the page's head; besides it only what views share."""
    page = (STATIC / "index.html").read_text()
    preloaded = {(STATIC / name).resolve() for name in re.findall(r'modulepreload" href="/static/([^"]+)"', page)}
    needed: set[Path] = set()
    found = {(STATIC / "app.js").resolve()}
    while found:
        needed |= found
        found = set().union(*map(_imported, found)) - needed
    assert needed - preloaded == {(STATIC / "app.js").resolve()}
    shared = [
        [view.name for view in sorted((STATIC / "views").glob("*.js")) if one in _imported(view)]
        for one in preloaded - needed
    ]
    assert all(len(views) > 5 for views in shared)
