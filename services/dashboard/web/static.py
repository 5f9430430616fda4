"""Static files and the page itself: read once, served with a type and an ETag, asked for again only where changed."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

FOLDER = Path(__file__).resolve().parent.parent / "static"
# Told here, as the table of the system may say otherwise, and `nosniff` makes browsers believe it.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".md": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",  # LICENSE, NOTICE
}
_ASK_AGAIN = "no-cache"


class _File(NamedTuple):
    stamp: tuple[int, int]
    content: bytes
    etag: str


class StaticFiles:
    """The files of one folder. One thread."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder.resolve()
        self._read: dict[Path, _File] = {}

    async def asset(self, request: Request) -> Response:
        """A file by its path below the folder."""
        return self._answer(request, request.path_params["path"])

    async def page(self, request: Request) -> Response:
        """The page: it looks at the address itself to choose a view."""
        return self._answer(request, "index.html")

    def _answer(self, request: Request, name: str) -> Response:
        file = self._find(name)
        if file is None:
            return PlainTextResponse("there is no such file\n", 404)
        headers = {"etag": file.etag, "cache-control": _ASK_AGAIN}
        if file.etag in [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers={**headers, "content-type": TYPES[Path(name).suffix]})

    def _find(self, name: str) -> _File | None:
        if "\0" in name or any(part.startswith(".") for part in name.split("/")):
            return None
        path = self._folder / name.lstrip("/")
        try:
            if path.suffix not in TYPES or not path.resolve().is_relative_to(self._folder) or not path.is_file():
                return None
            facts = path.stat()
            stamp = (facts.st_mtime_ns, facts.st_size)
            known = self._read.get(path)
            if known is None or known.stamp != stamp:
                content = path.read_bytes()
                known = self._read[path] = _File(stamp, content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
        except OSError:
            return None
        return known
