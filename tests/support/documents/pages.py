"""The documents, and where they lie."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", ROOT / "tests" / "README.md", *sorted(DOCS.rglob("*.md"))]


def page(name: str) -> str:
    """The text of a page below `docs`."""
    return (DOCS / name).read_text()


def shown(path: Path) -> str:
    """A page's path as it appears in the names of tests."""
    return str(path.relative_to(ROOT))
