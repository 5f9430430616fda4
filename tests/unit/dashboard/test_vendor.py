"""The libraries of the dashboard's page are those that the manifest names, and nothing else."""

import hashlib
import re
from pathlib import Path

from tests.support.documents.pages import ROOT

STATIC = ROOT / "services/dashboard/static"
VENDOR = STATIC / "vendor"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_files_are_those_of_the_manifest() -> None:
    """Every file has the digest that `scripts/vendor` wrote; none is missing, and none is there besides."""
    lines = [line.split("  ") for line in (STATIC / "vendor.sha256").read_text().splitlines()]
    found = {str(path.relative_to(STATIC)): hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(VENDOR)}
    assert {path: digest for digest, path in lines} == found


def test_each_library_has_its_licence_and_is_told() -> None:
    """A licence lies beside every library; `THIRD_PARTY.md` names it with its version, `scripts/vendor` fetches it."""
    told, script = (STATIC / "THIRD_PARTY.md").read_text(), (ROOT / "scripts/vendor").read_text()
    for folder in VENDOR.iterdir():
        name, _, version = folder.name.rpartition("-")
        assert (folder / "LICENSE").is_file()
        assert re.search(rf"{version} {name}\b", script), folder
        assert re.search(rf"\| {re.escape(version)} \|", told), folder


def test_the_page_names_files_that_exist() -> None:
    """Whatever the page, its modules and its styles load is here; nothing comes from another machine."""
    for path in (path for path in _files(STATIC) if VENDOR not in path.parents and path.suffix in (".html", ".js")):
        text = path.read_text()
        for name in re.findall(r"""(?:from |import\()"(\.{1,2}/[^"]+)\"""", text):
            assert (path.parent / name).resolve().is_file(), f"{path}: {name}"
        for name in re.findall(r"""(?:src|href)="/static/([^"]+)\"""", text):
            assert (STATIC / name).is_file(), f"{path}: {name}"


def test_nothing_is_written_that_the_policy_forbids() -> None:
    """No script and no style stands within a document: the policy would stop it."""
    for path in (path for path in _files(STATIC) if VENDOR not in path.parents and path.suffix in (".html", ".js")):
        text = path.read_text()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|<script>|innerHTML|\beval\(", text), path
