"""The doctor's bundle as a download. `tickflag doctor` makes it in a process of its own, one at a time."""

import asyncio
import contextlib
import sys
import tempfile
import time
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from tickflag.services.dashboard.web.api import json_response

MAKE_S = 60.0


class BundleDownload:
    """In the loop's thread."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._busy = asyncio.Lock()

    async def answer(self, _request: Request) -> Response:
        """`GET /api/bundle`."""
        if self._busy.locked():
            return json_response({"error": "a bundle is being made: ask again"}, 503)
        async with self._busy:
            name = f"tickflag-{self._instance}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.tar.gz"
            with tempfile.TemporaryDirectory(prefix="tickflag-") as folder:
                path = Path(folder) / name
                words = await _make(path)
                if not path.exists():
                    return json_response({"error": f"no bundle was made: {words}"}, 503)
                content = path.read_bytes()
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type="application/gzip", headers=headers)


async def _make(path: Path) -> str:
    """Make the file; gives the last words of the one who makes it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "tickflag.services.cli", "doctor", "--bundle", str(path),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        _, complaint = await asyncio.wait_for(process.communicate(), MAKE_S)
    except TimeoutError:
        return f"it took longer than {MAKE_S:g} s"
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return "".join(complaint.decode(errors="replace").strip().splitlines()[-1:])
