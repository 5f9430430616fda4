"""Static files: types, ETags, and nothing from outside the folder."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from tickflag.services.dashboard.web.static import FOLDER, TYPES, StaticFiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "views").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "views" / "overview.js").write_text("export {}")
    (folder / "LICENSE").write_text("free")
    (folder / ".hidden").write_text("secret")
    (folder / "odd.exe").write_text("secret")
    (tmp_path / "outside.js").write_text("secret")
    (folder / "link.js").symlink_to(tmp_path / "outside.js")
    return folder


def get(files: StaticFiles, path: str, **headers: str) -> Response:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": "http", "headers": raw, "path_params": {"path": path}}
    return asyncio.run(files.asset(Request(scope)))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("views/overview.js", "text/javascript; charset=utf-8"),
        ("index.html", "text/html; charset=utf-8"),
        ("LICENSE", "text/plain; charset=utf-8"),
    ],
)
def test_types(folder: Path, path: str, kind: str) -> None:
    """Modules run only under the right type."""
    response = get(StaticFiles(folder), path)
    assert (response.status_code, response.headers["content-type"]) == (200, kind)
    assert response.headers["cache-control"] == "no-cache"


def test_a_file_is_sent_again_where_it_changed_only(folder: Path) -> None:
    """The ETag is that of the content."""
    files = StaticFiles(folder)
    etag = get(files, "index.html").headers["etag"]
    for known in (etag, f'"other", W/{etag}'):
        response = get(files, "index.html", if_none_match=known)
        assert (response.status_code, response.body) == (304, b"")
        assert response.headers["etag"] == etag
    (folder / "index.html").write_text("<!doctype html><p>")
    response = get(files, "index.html", if_none_match=etag)
    assert (response.status_code, response.body) == (200, b"<!doctype html><p>")


@pytest.mark.parametrize(
    "path",
    [
        "../outside.js", "views/../../outside.js", "/etc/passwd", "//etc/hosts", ".hidden", "odd.exe", "link.js",
        "views", "", "none.js", "index.html\0.js", "a" * 5_000 + ".js", "index.html/x.js",
    ],
)  # fmt: skip
def test_nothing_else_is_sent(folder: Path, path: str) -> None:
    """No file from outside the folder, by dots or links; no hidden file; none of a type that is not told."""
    response = get(StaticFiles(folder), path)
    assert response.status_code == 404
    assert b"secret" not in response.body


def test_every_file_has_a_type() -> None:
    """What lies in the folder can be served, but for digests."""
    names = [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".sha256"]
    assert [path.name for path in names if path.suffix not in TYPES] == []
